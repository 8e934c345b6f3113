package io.stillhouse.target;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What a cache stores of its teacher.
 *
 * @param dtype of the tensors
 * @param logits whether task logits are stored
 * @param hidden hidden states, 0 the embedding output
 * @param attention blocks, from 1, whose scores are stored
 */
public record TargetChoice(
    Dtype dtype, Logits logits, List<Integer> hidden, List<Integer> attention)
    implements Serializable {

  /** Whether a teacher has task logits to store. */
  public enum Logits {
    STORED,
    NONE
  }

  public TargetChoice {
    hidden = hidden.stream().distinct().sorted().toList();
    attention = attention.stream().distinct().sorted().toList();
  }

  /** Returns the tensor columns of each family that has any. */
  public Map<Family, List<Column>> columns() {
    Map<Family, List<Column>> columns = new EnumMap<>(Family.class);
    if (logits == Logits.STORED) {
      columns.put(Family.LOGITS, List.of(Targets.LOGITS));
    }
    if (!hidden.isEmpty()) {
      columns.put(Family.HIDDEN, hidden.stream().map(Targets::hidden).toList());
    }
    if (!attention.isEmpty()) {
      columns.put(Family.ATTENTION, attention.stream().map(Targets::attention).toList());
    }
    return columns;
  }

  /** Returns every tensor column. */
  public List<Column> all() {
    List<Column> all = new ArrayList<>();
    columns().values().forEach(all::addAll);
    return all;
  }
}
