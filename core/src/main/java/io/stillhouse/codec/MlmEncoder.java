package io.stillhouse.codec;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.stillhouse.model.Batch;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.torch.Autograd;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Encodes a teacher's masked-LM soft labels into cells: dense, top-k or sampled. */
public final class MlmEncoder {
  /** Ids have two bytes if the vocabulary has at most this many tokens. */
  private static final int SHORT_IDS = 1 << 16;

  private final Encoder teacher;
  private final MlmTargets mlm;
  private final Dtype dtype;
  private final long seed;

  /**
   * One row of a batch.
   *
   * @param id the row's key, from which its draws are seeded
   * @param labels masked-LM labels, or null if no token is masked
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Row(String id, int @Nullable [] labels) {}

  /**
   * Creates an encoder for one teacher and cache.
   *
   * @param teacher a teacher with a masked-LM head
   * @param mlm the soft labels to store; {@link MlmTargets#stored} must be true
   * @param dtype dtype of the cache's tensors
   * @param seed seed of the draws; those of a row depend only on the seed and the row's key
   */
  public MlmEncoder(Encoder teacher, MlmTargets mlm, Dtype dtype, long seed) {
    this.teacher = teacher;
    this.mlm = mlm;
    this.dtype = dtype;
    this.seed = seed;
  }

  /**
   * Returns the cells of each column of {@link MlmTargets#columns()}, one per row; the cells of a
   * row are null if one of its logits is not finite. Logits are computed for one row at a time,
   * because those of BERT-base take 120 kB per token.
   *
   * @param lastBLD the teacher's last hidden states
   */
  public Map<Column, List<byte @Nullable []>> cells(NDArray lastBLD, Batch batch, List<Row> rows) {
    Map<Column, List<byte @Nullable []>> cells = new LinkedHashMap<>();
    mlm.columns().forEach(column -> cells.put(column, new ArrayList<>()));
    for (int row = 0; row < rows.size(); row++) {
      long[] positions = positions(batch, row, rows.get(row));
      if (positions.length == 0) {
        cells.values().forEach(column -> column.add(new byte[0]));
        continue;
      }
      try (NDManager scope = lastBLD.getManager().newSubManager()) {
        lastBLD.tempAttach(scope);
        NDArray positionsN = scope.create(positions);
        NDArray logitsNV = teacher.maskedLmLogits(TargetBatch.tokens(lastBLD, positionsN));
        if (!Float.isFinite(logitsNV.sum().getFloat())) {
          cells.values().forEach(column -> column.add(null));
          continue;
        }
        encode(logitsNV, rows.get(row).id())
            .forEach(
                (column, cell) -> {
                  List<byte @Nullable []> columnCells = cells.get(column);
                  if (columnCells != null) {
                    columnCells.add(cell);
                  }
                });
      }
    }
    return cells;
  }

  private long[] positions(Batch batch, int row, Row key) {
    int[] indices = mlm.indices(batch.lengths()[row], key.labels());
    long[] positions = new long[indices.length];
    int count = 0;
    for (int t = 0; t < indices.length; t++) {
      if (indices[t] >= 0) {
        positions[count++] = (long) row * batch.longest() + t;
      }
    }
    return Arrays.copyOf(positions, count);
  }

  private Map<Column, byte[]> encode(NDArray logitsNV, String id) {
    return switch (mlm.kind()) {
      case DENSE -> Map.of(mlm.dense(), pack(logitsNV, mlm.dense()));
      case TOP_K -> top(logitsNV);
      case SAMPLED -> sample(logitsNV, id);
      case NONE, DERIVED ->
          throw new IllegalStateException(format("%s stores no soft labels", mlm.kind()));
    };
  }

  private byte[] pack(NDArray tensorNW, Column column) {
    int lines = (int) tensorNW.getShape().get(0);
    return TargetCells.groups(tensorNW, new int[] {lines}, column.dtype(dtype)).get(0);
  }

  private Map<Column, byte[]> top(NDArray logitsNV) {
    NDList top = logitsNV.topK(mlm.count(), 1, true, true);
    NDArray lessLargestNK = top.get(0).sub(top.get(0).get(":, 0:1"));
    Map<Column, byte[]> cells = new LinkedHashMap<>();
    cells.put(mlm.topIds(), ids(top.get(1).toLongArray()));
    cells.put(mlm.topLogits(), pack(lessLargestNK, mlm.topLogits()));
    for (double temperature : mlm.temperatures()) {
      // log sum exp((z - max z) / T) is minus the log-probability of the largest.
      NDArray logZN1 =
          Autograd.divide(logitsNV, temperature).logSoftmax(1).max(new int[] {1}, true).neg();
      Column column = mlm.logPartition(temperature);
      cells.put(column, pack(logZN1, column));
    }
    return cells;
  }

  private Map<Column, byte[]> sample(NDArray logitsNV, String id) {
    NDArray logNV = Autograd.divide(logitsNV, mlm.temperatures().get(0)).logSoftmax(1);
    NDArray probabilitiesNV = logNV.exp();
    NDArray entropyN1 = probabilitiesNV.mul(logNV).sum(new int[] {1}, true).neg();
    int classes = (int) logitsNV.getShape().get(1);
    float[] probabilities = probabilitiesNV.toFloatArray();
    List<Integer> ids = new ArrayList<>();
    List<Byte> counts = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(seed ^ hash(id));
    for (int n = 0; n < logitsNV.getShape().get(0); n++) {
      draw(probabilities, n * classes, classes, random.split(), ids, counts);
    }
    byte[] countCell = new byte[counts.size()];
    for (int i = 0; i < countCell.length; i++) {
      countCell[i] = counts.get(i);
    }
    return Map.of(
        mlm.sampleIds(),
        ids(ids.stream().mapToLong(Integer::longValue).toArray()),
        mlm.sampleCounts(),
        countCell,
        mlm.sampleEntropy(),
        pack(entropyN1, mlm.sampleEntropy()));
  }

  /** Adds the distinct draws from one softmax and their counts, in one pass with sorted draws. */
  private void draw(
      float[] probabilities,
      int from,
      int classes,
      SplittableRandom random,
      List<Integer> ids,
      List<Byte> counts) {
    double total = 0;
    for (int c = 0; c < classes; c++) {
      total += probabilities[from + c];
    }
    double[] draws = random.doubles(mlm.count(), 0, total).sorted().toArray();
    double sum = 0;
    int next = 0;
    for (int c = 0; c < classes && next < draws.length; c++) {
      sum += probabilities[from + c];
      int first = next;
      while (next < draws.length && (draws[next] < sum || c == classes - 1)) {
        next++;
      }
      if (next > first) {
        ids.add(c);
        counts.add((byte) (next - first));
      }
    }
  }

  private byte[] ids(long[] ids) {
    boolean narrow = teacher.spec().embeddings().vocabSize() <= SHORT_IDS;
    ByteBuffer buffer =
        ByteBuffer.allocate(ids.length * (narrow ? Short.BYTES : Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (long id : ids) {
      if (narrow) {
        buffer.putShort((short) id);
      } else {
        buffer.putInt((int) id);
      }
    }
    return buffer.array();
  }

  /** Returns the 64-bit FNV-1a hash of a key's characters, the same on every JVM. */
  private static long hash(String id) {
    long hash = 0xcbf29ce484222325L;
    for (int i = 0; i < id.length(); i++) {
      hash = (hash ^ id.charAt(i)) * 0x100000001b3L;
    }
    return hash;
  }
}
