package io.stillhouse.model;

import java.util.Collection;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Which intermediate tensors a forward pass keeps; the others are freed as it goes.
 *
 * @param hidden hidden states, 0..layers
 * @param scores blocks whose attention scores are kept, 1..layers
 * @param valueRelations blocks whose value relations are kept, 1..layers
 */
public record Capture(Set<Integer> hidden, Set<Integer> scores, Set<Integer> valueRelations) {
  /** Keeps nothing but the last hidden state and the logits. */
  public static final Capture NOTHING = new Capture(Set.of(), Set.of(), Set.of());

  public Capture {
    hidden = Set.copyOf(hidden);
    scores = Set.copyOf(scores);
    valueRelations = Set.copyOf(valueRelations);
  }

  /** Keeps the named layers. */
  public static Capture of(Collection<Integer> hidden, Collection<Integer> scores) {
    return new Capture(Set.copyOf(hidden), Set.copyOf(scores), Set.of());
  }

  /** Keeps everything of an encoder of that depth. */
  public static Capture everything(int layers) {
    Set<Integer> blocks = IntStream.rangeClosed(1, layers).boxed().collect(Collectors.toSet());
    return new Capture(
        IntStream.rangeClosed(0, layers).boxed().collect(Collectors.toSet()), blocks, blocks);
  }
}
