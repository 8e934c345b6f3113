package io.stillhouse.codec;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.model.Batch;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The inputs and targets of some rows as tensors. Targets are decoded on demand; they are float32
 * regardless of the dtype of the cells. All tensors belong to the manager that the batch was
 * created with.
 *
 * <p>A state is <em>padded</em>, (B, L, D), or <em>packed</em>, (1, N, D): the N real tokens of all
 * rows, one after another.
 */
public final class TargetBatch {
  private final NDManager manager;
  private final List<Example> examples;
  private final Batch batch;
  private final TeacherParts teacher;
  private final long[] before; // real tokens in the rows before each row
  private final Map<Integer, NDArray> hidden = new HashMap<>(); // decoded states, (B, L, D)

  /**
   * Pads the rows' inputs.
   *
   * @param manager owns all tensors
   * @param teacher computes the targets that the cells lack
   */
  public TargetBatch(NDManager manager, List<Example> examples, TeacherParts teacher) {
    this(
        manager,
        examples,
        teacher,
        Batch.of(
            manager,
            examples.stream().map(e -> e.inputs().inputIds()).toList(),
            examples.stream().map(e -> e.inputs().typeIds()).toList()));
  }

  private TargetBatch(
      NDManager manager, List<Example> examples, TeacherParts teacher, Batch batch) {
    this.manager = manager;
    this.teacher = teacher;
    this.examples = List.copyOf(examples);
    this.batch = batch;
    this.before = new long[batch.rows()];
    for (int row = 1; row < before.length; row++) {
      before[row] = before[row - 1] + batch.lengths()[row - 1];
    }
  }

  /** Returns the batch that the student reads. */
  public Batch batch() {
    return batch;
  }

  /**
   * Returns the same inputs with an additional teacher's targets. If that teacher has different
   * tokens, only its logits and first tokens can be compared.
   *
   * @param number number of the additional teacher, from 0
   */
  public TargetBatch additional(int number) {
    return new TargetBatch(
        manager,
        examples.stream().map(row -> row.additional().get(number)).toList(),
        teacher.additional().get(number),
        batch);
  }

  /** Returns the counts of the rows. */
  public Counts counts() {
    return Counts.of(examples);
  }

  /** Returns whether any row is shorter than the longest. */
  public boolean padded() {
    return batch.tokens() < (long) batch.rows() * batch.longest();
  }

  /** Returns the real tokens of a state, packed or padded, (N, D). */
  public NDArray realTokensND(NDArray state) {
    boolean packed = state.getShape().get(0) == 1;
    return packed || !padded()
        ? state.reshape(-1, state.getShape().get(2))
        : tokens(state, manager.create(batch.realTokens()));
  }

  /** Returns the masked tokens of a state, packed or padded, (N, D). */
  public NDArray maskedTokensND(NDArray state) {
    boolean packed = state.getShape().get(0) == 1;
    List<Long> positions = new ArrayList<>();
    forEachMasked(
        (row, t, label) ->
            positions.add(packed ? before[row] + t : (long) row * batch.longest() + t));
    return tokens(state, manager.create(positions.stream().mapToLong(Long::longValue).toArray()));
  }

  /**
   * Returns the original ids of the masked tokens, (N), int64, in the order of {@link
   * #maskedTokensND}.
   */
  public NDArray maskedLabelsN() {
    List<Long> labels = new ArrayList<>();
    forEachMasked((row, t, label) -> labels.add((long) label));
    return manager.create(labels.stream().mapToLong(Long::longValue).toArray());
  }

  /**
   * Returns 1 / (number of masked tokens in its row) for each masked token, (N), float32, in the
   * order of {@link #maskedTokensND}.
   */
  public NDArray maskedSharesN() {
    List<Integer> rows = new ArrayList<>();
    forEachMasked((row, t, label) -> rows.add(row));
    double[] tokens = new double[batch.rows()];
    rows.forEach(row -> tokens[row]++);
    return numbers(rows.stream().map(row -> 1 / tokens[row]).toList());
  }

  /**
   * Returns the rows of a tensor that have a label, (N, C), in the order of {@link #classesN},
   * {@link #scoresN} and {@link #labelsNC}.
   *
   * @param rowsBC one row for each row of the batch; returned as is if all have a label
   */
  public NDArray labelledRows(NDArray rowsBC) {
    long[] rows =
        IntStream.range(0, examples.size())
            .filter(row -> examples.get(row).inputs().labelled())
            .mapToLong(row -> row)
            .toArray();
    return rows.length == examples.size() ? rowsBC : Autograd.rows(rowsBC, manager.create(rows));
  }

  private double[] labels() {
    return examples.stream()
        .map(Example::inputs)
        .filter(Example.Inputs::labelled)
        .mapToDouble(Example.Inputs::label)
        .toArray();
  }

  /** Returns the labels of the rows that have one, as class ids, (N), int64. */
  public NDArray classesN() {
    return manager.create(Arrays.stream(labels()).mapToLong(label -> (long) label).toArray());
  }

  /** Returns numbers as a tensor of the batch's manager, float32. */
  public NDArray numbers(List<Double> numbers) {
    float[] all = new float[numbers.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = numbers.get(i).floatValue();
    }
    return manager.create(all);
  }

  /**
   * Returns the labels of multi-label rows that have any, (N, C), int64: 1 if the row has the
   * label, else 0.
   *
   * @param labels number of labels, C
   */
  public NDArray labelsNC(int labels) {
    double[] sets = labels();
    long[] all = new long[sets.length * labels];
    for (int row = 0; row < sets.length; row++) {
      double[] own = LabelSet.numbers(sets[row], labels);
      for (int label = 0; label < labels; label++) {
        all[row * labels + label] = (long) own[label];
      }
    }
    return manager.create(all, new Shape(sets.length, labels));
  }

  /** Returns the labels of the rows that have one, as scores, (N), float32. */
  public NDArray scoresN() {
    double[] labels = labels();
    float[] scores = new float[labels.length];
    for (int row = 0; row < scores.length; row++) {
      scores[row] = (float) labels[row];
    }
    return manager.create(scores);
  }

  /** Returns the teacher's task logits, (B, C). */
  public NDArray logitsBC() {
    Dtype dtype = examples.get(0).dtype(Targets.LOGITS);
    int classes = dtype.width(examples.get(0).cell(Targets.LOGITS).length, 1);
    LineBuffer lines = LineBuffer.uninitialized(dtype, batch.rows(), classes);
    for (int row = 0; row < batch.rows(); row++) {
      lines.put(examples.get(row).cell(Targets.LOGITS), 1, 0, row);
    }
    return lines.tensor(manager, new Shape(batch.rows(), classes));
  }

  /**
   * Returns the teacher's masked-LM soft labels of N tokens, in the order of {@link #realTokensND}
   * or {@link #maskedTokensND}.
   *
   * @throws IllegalStateException if a token has none, or if they must be computed and there is no
   *     teacher
   */
  public SoftLabels maskedLmSoftLabels(Positions positions, double temperature) {
    return teacher.mlm().stored()
        ? new MlmCells(manager, teacher.mlm(), examples, positions).softLabels(temperature)
        : SoftLabels.dense(maskedLmLogitsNV(positions), temperature);
  }

  /**
   * Returns the teacher's masked-LM logits of tokens, (N, V), in the order of {@link #realTokensND}
   * or {@link #maskedTokensND}.
   *
   * @throws IllegalStateException if only a part of the logits is stored, or if they must be
   *     computed and there is no teacher
   */
  public NDArray maskedLmLogitsNV(Positions positions) {
    if (teacher.mlm().stored()) {
      return new MlmCells(manager, teacher.mlm(), examples, positions).logitsNV();
    }
    Encoder head = teacher.forTarget("masked-LM soft labels");
    NDArray last1ND = hidden1ND(head.spec().layers());
    return head.maskedLmLogits(
        positions == Positions.ALL ? realTokensND(last1ND) : maskedTokensND(last1ND));
  }

  /**
   * Returns tokens of (B, L, D) as (N, D), by an embedding lookup, whose gradient is summed in a
   * fixed order.
   */
  static NDArray tokens(NDArray stateBLD, NDArray positionsN) {
    long width = stateBLD.getShape().get(2);
    NDArray tokens = stateBLD.reshape(-1, width);
    return Autograd.rows(tokens, positionsN);
  }

  /** Returns a teacher's hidden state, packed, (1, N, D). */
  public NDArray hidden1ND(int layer) {
    Column column = Targets.hidden(layer);
    Example first = examples.get(0);
    if (layer == 0 && !first.has(column)) {
      NDArray real = realTokensND(embeddingsBLD());
      return real.reshape(1, real.getShape().get(0), real.getShape().get(1));
    }
    Dtype dtype = first.dtype(column);
    int width = dtype.width(first.cell(column).length, first.length());
    int tokens = Math.toIntExact(batch.tokens());
    LineBuffer lines = LineBuffer.uninitialized(dtype, tokens, width);
    for (int row = 0; row < batch.rows(); row++) {
      lines.putAll(
          examples.get(row).cell(column), batch.lengths()[row], Math.toIntExact(before[row]));
    }
    return lines.tensor(manager, new Shape(1, tokens, width));
  }

  private NDArray embeddingsBLD() {
    return teacher.forTarget("embedding outputs").embeddings(batch);
  }

  /** Returns the first token of each row of a state, packed or padded, as (B, D). */
  public NDArray firstTokensBD(NDArray state) {
    boolean packed = state.getShape().get(0) == 1;
    long[] padded = LongStream.range(0, batch.rows()).map(row -> row * batch.longest()).toArray();
    return tokens(state, manager.create(packed ? before : padded));
  }

  /** Returns a teacher's hidden state of each row's first token, (B, D). */
  public NDArray firstHiddenBD(int layer) {
    Column column = Targets.hidden(layer);
    Example first = examples.get(0);
    Dtype dtype = first.dtype(column);
    int width = dtype.width(first.cell(column).length, first.length());
    LineBuffer lines = LineBuffer.uninitialized(dtype, batch.rows(), width);
    for (int row = 0; row < batch.rows(); row++) {
      Example example = examples.get(row); // its length differs if the teacher has other tokens
      lines.put(example.cell(column), example.length(), 0, row);
    }
    return lines.tensor(manager, new Shape(batch.rows(), width));
  }

  /** Returns a teacher's hidden state, padded, (B, L, D); finite at padding. */
  public NDArray hiddenBLD(int layer) {
    return hidden.computeIfAbsent(layer, this::readHiddenBLD);
  }

  private NDArray readHiddenBLD(int layer) {
    Column column = Targets.hidden(layer);
    Example first = examples.get(0);
    if (layer == 0 && !first.has(column)) {
      return embeddingsBLD();
    }
    Dtype dtype = first.dtype(column);
    int width = dtype.width(first.cell(column).length, first.length());
    LineBuffer lines = lines(dtype, batch.rows() * batch.longest(), width);
    for (int row = 0; row < batch.rows(); row++) {
      lines.putAll(examples.get(row).cell(column), batch.lengths()[row], row * batch.longest());
    }
    return lines.tensor(manager, new Shape(batch.rows(), batch.longest(), width));
  }

  /** Returns the scores of a teacher's block, (B, H, L, L); finite at padding. */
  public NDArray attentionBHLL(int block) {
    Column column = Targets.attention(block);
    return examples.get(0).has(column)
        ? pairsBHLL(column)
        : teacher.forTarget("attention scores").scores(block, hiddenBLD(block - 1));
  }

  /**
   * Returns the relations of the queries, keys or values of a teacher's block.
   *
   * @param heads number of heads that each vector is divided into; must divide the teacher's width
   * @return (B, heads, L, L), finite at padding
   */
  public NDArray relationsBHLL(AttentionPart part, int block, int heads) {
    Column column = Targets.valueRelations(block);
    if (part == AttentionPart.VALUE && examples.get(0).has(column) && heads(column) == heads) {
      return pairsBHLL(column);
    }
    Encoder encoder = teacher.forTarget("relations");
    return Encoder.relations(encoder.vectors(part, block, hiddenBLD(block - 1)), heads);
  }

  private int heads(Column column) {
    Example first = examples.get(0);
    int length = first.length();
    return first.cell(column).length / first.dtype(column).bytes(length, length);
  }

  private NDArray pairsBHLL(Column column) {
    Example first = examples.get(0);
    Dtype dtype = first.dtype(column);
    int length = first.length();
    int heads = heads(column);
    int longest = batch.longest();
    LineBuffer lines = lines(dtype, batch.rows() * heads * longest, longest);
    for (int row = 0; row < batch.rows(); row++) {
      byte[] cell = examples.get(row).cell(column);
      length = batch.lengths()[row];
      if (length == longest) {
        lines.putAll(cell, heads * length, row * heads * longest);
        continue;
      }
      for (int head = 0; head < heads; head++) {
        for (int query = 0; query < length; query++) {
          lines.put(
              cell, heads * length, head * length + query, (row * heads + head) * longest + query);
        }
      }
    }
    return lines.tensor(manager, new Shape(batch.rows(), heads, longest, longest));
  }

  private LineBuffer lines(Dtype dtype, int lines, int width) {
    return padded()
        ? LineBuffer.padded(dtype, lines, width)
        : LineBuffer.uninitialized(dtype, lines, width);
  }

  private void forEachMasked(MaskedToken action) {
    for (int row = 0; row < batch.rows(); row++) {
      int[] labels = examples.get(row).inputs().mlmLabels();
      if (labels == null) {
        continue;
      }
      for (int t = 0; t < labels.length; t++) {
        if (labels[t] != TargetSource.IGNORED) {
          action.at(row, t, labels[t]);
        }
      }
    }
  }

  private interface MaskedToken {
    void at(int row, int token, int label);
  }
}
