package io.stillhouse.target;

import io.stillhouse.spec.EncoderSpec;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/**
 * The targets that a cache stores.
 *
 * @param dtype the storage type of tensors
 * @param logits whether task logits are stored
 * @param mlm masked-LM soft labels
 * @param hidden hidden states; 0 is the embedding output
 * @param attention blocks, counted from 1, whose scores are stored
 * @param valueRelations blocks, counted from 1, whose value relations are stored
 */
public record TargetChoice(
    Dtype dtype,
    Logits logits,
    MlmTargets mlm,
    List<Integer> hidden,
    List<Integer> attention,
    List<Integer> valueRelations)
    implements Serializable {

  /** The largest layer: names of columns have two digits. */
  private static final int MAX_LAYER = 99;

  /** Whether task logits are stored. */
  public enum Logits {
    STORED,
    NONE
  }

  public TargetChoice {
    hidden = hidden.stream().distinct().sorted().toList();
    attention = attention.stream().distinct().sorted().toList();
    valueRelations = valueRelations.stream().distinct().sorted().toList();
  }

  /** Returns a choice that stores nothing. */
  public static TargetChoice none(Dtype dtype) {
    return new TargetChoice(dtype, Logits.NONE, MlmTargets.NONE, List.of(), List.of(), List.of());
  }

  /** Returns a copy that also has the layers and logits of other columns. */
  public TargetChoice withLayersOf(List<Column> columns) {
    return new TargetChoice(
        dtype,
        columns.contains(Targets.LOGITS) ? Logits.STORED : logits,
        mlm,
        union(hidden, columns, Targets::hidden),
        union(attention, columns, Targets::attention),
        union(valueRelations, columns, Targets::valueRelations));
  }

  private static List<Integer> union(
      List<Integer> layers, List<Column> columns, IntFunction<Column> named) {
    List<Integer> all = new ArrayList<>(layers);
    for (int layer = 0; layer <= MAX_LAYER; layer++) {
      if (columns.contains(named.apply(layer))) {
        all.add(layer);
      }
    }
    return all;
  }

  /** Returns a copy without the columns that already exist. */
  public TargetChoice without(Predicate<Column> exists) {
    boolean mlmExists = mlm.columns().stream().allMatch(exists);
    return new TargetChoice(
        dtype,
        logits == Logits.STORED && exists.test(Targets.LOGITS) ? Logits.NONE : logits,
        mlmExists ? MlmTargets.NONE : mlm,
        hidden.stream().filter(layer -> !exists.test(Targets.hidden(layer))).toList(),
        attention.stream().filter(block -> !exists.test(Targets.attention(block))).toList(),
        valueRelations.stream()
            .filter(block -> !exists.test(Targets.valueRelations(block)))
            .toList());
  }

  /**
   * Returns the maximum number of bytes of a row's cells before compression, as if all tokens were
   * masked and all draws differed.
   *
   * @param length the number of tokens of the row
   * @param teacher the teacher, whose widths determine the size
   */
  public long cellBytes(int length, EncoderSpec teacher) {
    long bytes = (long) hidden.size() * dtype.bytes(length, teacher.hiddenSize());
    bytes +=
        (long) (attention.size() + valueRelations.size())
            * dtype.bytes(teacher.heads() * length, length);
    bytes += logits == Logits.STORED ? (long) Float.BYTES * teacher.head().outputs() : 0;
    return bytes + mlm.tokenBytes(dtype, teacher.embeddings().vocabSize()) * length;
  }

  /** Returns the tensor columns by family, without empty families. */
  public Map<Family, List<Column>> columns() {
    Map<Family, List<Column>> columns = new EnumMap<>(Family.class);
    List<Column> heads = new ArrayList<>();
    if (logits == Logits.STORED) {
      heads.add(Targets.LOGITS);
    }
    heads.addAll(mlm.columns());
    List<Column> relations = new ArrayList<>(attention.stream().map(Targets::attention).toList());
    relations.addAll(valueRelations.stream().map(Targets::valueRelations).toList());
    columns.put(Family.LOGITS, heads);
    columns.put(Family.HIDDEN, hidden.stream().map(Targets::hidden).toList());
    columns.put(Family.ATTENTION, relations);
    columns.values().removeIf(List::isEmpty);
    return columns;
  }

  /** Returns every tensor column. */
  public List<Column> all() {
    List<Column> all = new ArrayList<>();
    columns().values().forEach(all::addAll);
    return all;
  }
}
