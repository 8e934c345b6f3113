package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

class InterleavedBenchmarkTest {
  private static final long SECOND = 1_000_000_000L;

  private long now;
  private int turnsDone;
  private final List<String> order = new ArrayList<>();

  @Test
  void modelsTakeTurnsAndFirstRoundIsDiscarded() throws IOException {
    List<InterleavedBenchmark.Rate> rates =
        measure(0, model("a", round -> round == 0 ? 100 : 4), model("b", round -> 1));

    assertThat(order)
        .hasSize(2 * InterleavedBenchmark.ALL)
        .startsWith("a", "b", "a", "b")
        .endsWith("a", "b");
    assertThat(turnsDone).isEqualTo(2 * InterleavedBenchmark.ALL);
    assertThat(rates)
        .containsExactly(
            new InterleavedBenchmark.Rate(0.25, 1, 4, 4),
            new InterleavedBenchmark.Rate(1, 4, 1, 1));
  }

  @Test
  void slowRoundDoesNotAffectMedianOrRatio() throws IOException {
    // The machine is ten times slower in the third round, and slightly slower at random otherwise.
    long[] slow = {10, 10, 100, 11, 9, 10};
    List<InterleavedBenchmark.Rate> rates =
        measure(0, model("a", round -> 2 * slow[round]), model("b", round -> slow[round]));

    assertThat(rates.get(0).perSecond()).isEqualTo(1 / 20.0, within(1e-12));
    assertThat(rates.get(1).perSecond()).isEqualTo(1 / 10.0, within(1e-12));
    assertThat(rates.get(1).timesFirst()).isEqualTo(2, within(1e-12));
  }

  @Test
  void passesFillTurn() throws IOException {
    // 24 seconds are 4 per turn: four passes of 1 s, two of 3 s, one of 7 s.
    List<InterleavedBenchmark.Rate> rates =
        measure(24, model("a", pass -> 1), model("b", pass -> 3), model("c", pass -> 7));

    assertThat(order.subList(0, 7)).containsExactly("a", "a", "a", "a", "b", "b", "c");
    assertThat(order).hasSize(7 * InterleavedBenchmark.ALL);
    assertThat(rates)
        .extracting(InterleavedBenchmark.Rate::perSecond)
        .containsExactly(1.0, 1 / 3.0, 1 / 7.0);
  }

  @Test
  void percentilesAreOverAllPassesButWarmUp() throws IOException {
    // Each turn of 30 s holds passes of 1 to 10 s; the first pass of the warm-up takes 1,000 s.
    List<InterleavedBenchmark.Rate> rates =
        measure(180, model("a", pass -> pass == 0 ? 1000 : 1 + (pass - 1) % 10));

    assertThat(rates.get(0).p50()).isBetween(5.0, 6.0);
    assertThat(rates.get(0).p95()).isEqualTo(10);
  }

  private List<InterleavedBenchmark.Rate> measure(
      double seconds, InterleavedBenchmark.Pass... models) throws IOException {
    return InterleavedBenchmark.measure(List.of(models), seconds, () -> now, () -> turnsDone++);
  }

  /** A model whose n-th pass takes so many seconds. */
  private InterleavedBenchmark.Pass model(String name, IntToLongFunction seconds) {
    int[] passes = new int[1];
    return () -> {
      order.add(name);
      now += SECOND * seconds.applyAsLong(passes[0]++);
    };
  }
}
