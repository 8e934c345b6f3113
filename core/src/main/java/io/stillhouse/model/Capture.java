package io.stillhouse.model;

import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The intermediate tensors that a forward pass keeps. All others are freed during the pass.
 *
 * @param hidden hidden states to keep, 0..layers
 * @param scores blocks whose attention scores are kept, 1..layers
 * @param valueRelations blocks whose value relations are kept, 1..layers
 * @param vectors the queries, keys or values that are kept, by block, 1..layers
 */
public record Capture(
    Set<Integer> hidden,
    Set<Integer> scores,
    Set<Integer> valueRelations,
    Map<Integer, List<AttentionPart>> vectors) {
  /** Keeps nothing but the last hidden state and the logits. */
  public static final Capture NONE = new Capture(Set.of(), Set.of(), Set.of(), Map.of());

  /** Returns which of a block's queries, keys and values are kept. */
  public List<AttentionPart> vectors(int block) {
    return vectors.getOrDefault(block, List.of());
  }

  public Capture {
    hidden = Set.copyOf(hidden);
    scores = Set.copyOf(scores);
    valueRelations = Set.copyOf(valueRelations);
    vectors = Map.copyOf(vectors);
  }

  /** Returns the capture of a student's tensors that a loss reads. */
  public static Capture of(DistillSpec loss) {
    return new Capture(
        Set.copyOf(loss.studentHidden()),
        Set.copyOf(loss.scoreBlocks()),
        Set.of(),
        loss.relationBlocks().stream()
            .collect(Collectors.toMap(block -> block, block -> loss.relationParts())));
  }

  /** Returns the capture of some hidden states and some blocks' attention scores. */
  public static Capture of(Collection<Integer> hidden, Collection<Integer> scores) {
    return new Capture(Set.copyOf(hidden), Set.copyOf(scores), Set.of(), Map.of());
  }

  /** Returns the capture of everything that a cache can store for an encoder. */
  public static Capture everything(int layers) {
    Set<Integer> blocks = IntStream.rangeClosed(1, layers).boxed().collect(Collectors.toSet());
    return new Capture(
        IntStream.rangeClosed(0, layers).boxed().collect(Collectors.toSet()),
        blocks,
        blocks,
        Map.of());
  }
}
