package io.stillhouse.spec;

import static io.stillhouse.error.Text.format;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The pruned attention heads of a student.
 *
 * @param blocks the pruned heads, counted from 1, of each block that has its own weights; empty if
 *     no head is pruned
 */
public record PrunedHeads(List<List<Integer>> blocks) implements Serializable {
  /** No head is pruned. */
  public static final PrunedHeads NONE = new PrunedHeads(List.of());

  public PrunedHeads {
    boolean none = blocks.stream().allMatch(List::isEmpty);
    blocks =
        none ? List.of() : blocks.stream().map(heads -> heads.stream().sorted().toList()).toList();
  }

  /**
   * Returns the least important heads; among equally important ones, the first heads of the first
   * blocks. Each block keeps its most important head.
   *
   * @param importance the importance of each head, by block
   * @param count the number of heads to prune
   * @throws IllegalArgumentException if a block would lose all of its heads
   */
  public static PrunedHeads least(List<List<Double>> importance, int count) {
    int all = importance.stream().mapToInt(List::size).sum();
    if (count > all - importance.size()) {
      throw new IllegalArgumentException(
          format(
              "%d of %d heads cannot be pruned, because each of %d blocks keeps one",
              count, all, importance.size()));
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
    int chosen = 0;
    for (Head head : heads) {
      List<Integer> ofBlock = pruned.get(head.block());
      if (chosen < count && ofBlock.size() < importance.get(head.block()).size() - 1) {
        ofBlock.add(head.number());
        chosen++;
      }
    }
    return new PrunedHeads(pruned);
  }

  /** Returns the number of pruned heads. */
  public int count() {
    return blocks.stream().mapToInt(List::size).sum();
  }

  public boolean isEmpty() {
    return blocks.isEmpty();
  }
}
