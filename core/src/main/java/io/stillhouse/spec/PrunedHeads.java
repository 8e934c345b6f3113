package io.stillhouse.spec;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The attention heads that are pruned from a student, and the rule that selects the least important
 * ones. Computing importances, reading them from a recipe and zeroing weights are done elsewhere.
 *
 * @param blocks the pruned heads of each block with its own weights, numbered from 1, in ascending
 *     order; empty if no head is pruned
 */
public record PrunedHeads(List<List<Integer>> blocks) implements Serializable {
  /** Every head stays. */
  public static final PrunedHeads NONE = new PrunedHeads(List.of());

  public PrunedHeads {
    boolean none = blocks.stream().allMatch(List::isEmpty);
    blocks =
        none ? List.of() : blocks.stream().map(heads -> heads.stream().sorted().toList()).toList();
  }

  /**
   * Returns the heads that matter least; of equals those of the first blocks, and of these the
   * first. The last head of a block stays.
   *
   * @param importance of each head, by block
   * @param count how many are to go
   * @throws IllegalArgumentException if no head would be left in some block
   */
  public static PrunedHeads least(List<List<Double>> importance, int count) {
    int all = importance.stream().mapToInt(List::size).sum();
    if (count > all - importance.size()) {
      throw new IllegalArgumentException(
          "%d of %d heads cannot go, since each of %d blocks keeps one"
              .formatted(count, all, importance.size()));
    }
    record Head(int block, int number, double importance) {}

    List<Head> heads = new ArrayList<>();
    List<List<Integer>> pruned = new ArrayList<>();
    for (int block = 0; block < importance.size(); block++) {
      pruned.add(new ArrayList<>());
      for (int head = 0; head < importance.get(block).size(); head++) {
        heads.add(new Head(block, head + 1, importance.get(block).get(head)));
      }
    }
    heads.sort(Comparator.comparingDouble(Head::importance));
    int gone = 0;
    for (Head head : heads) {
      List<Integer> ofBlock = pruned.get(head.block());
      if (gone < count && ofBlock.size() < importance.get(head.block()).size() - 1) {
        ofBlock.add(head.number());
        gone++;
      }
    }
    return new PrunedHeads(pruned);
  }

  /** Returns how many heads there are. */
  public int count() {
    return blocks.stream().mapToInt(List::size).sum();
  }

  public boolean isEmpty() {
    return blocks.isEmpty();
  }
}
