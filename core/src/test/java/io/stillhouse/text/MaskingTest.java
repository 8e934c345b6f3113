package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class MaskingTest {
  private static final int VOCABULARY = 1000;
  private static final int MASK = 4;
  private static final Set<Integer> SPECIAL = Set.of(0, 1, 2, 3, MASK);

  @Test
  void masksIdenticallyOnEveryMachine() {
    // Worked out by another implementation of SHA-256 and SplitMix64, in Python.
    Masking.Masked masked = masking(0.9, 42).mask(row(10), "dev.tsv:7", 1);
    assertThat(masked.ids()).containsExactly(2, 4, 4, 4, 103, 822, 4, 4, 4, 108, 4, 3);
    assertThat(masked.labels())
        .containsExactly(-100, 100, 101, 102, 103, 104, 105, 106, 107, -100, 109, -100);
  }

  @Test
  void dependsOnSeedKeyAndVariant() {
    Set<String> results = new HashSet<>();
    for (long seed = 0; seed < 2; seed++) {
      for (String key : new String[] {"a:1", "a:2"}) {
        for (int variant = 0; variant < 2; variant++) {
          results.add(Arrays.toString(masking(0.15, seed).mask(row(200), key, variant).ids()));
        }
      }
    }
    assertThat(results).hasSize(8);
  }

  @Test
  void choosesRoundedShareButAtLeastOne() {
    int[] expected = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2};
    for (int n = 1; n <= expected.length; n++) {
      assertThat(chosen(masking(0.15, 1).mask(row(n), "k", n))).isEqualTo(expected[n - 1]);
    }
    assertThat(chosen(masking(1, 1).mask(row(9), "k", 0))).isEqualTo(9);
  }

  @Test
  void doesNotMaskSpecialTokens() {
    int[] ids = {2, 3, 0, 0, 1, 4};
    Masking.Masked masked = masking(1, 1).mask(ids, "k", 0);
    assertThat(masked.ids()).isEqualTo(ids);
    assertThat(masked.labels()).containsOnly(Masking.IGNORED);
    Masking.Masked row = masking(1, 1).mask(row(5), "k", 0);
    assertThat(row.labels()[0]).isEqualTo(Masking.IGNORED);
    assertThat(row.labels()[6]).isEqualTo(Masking.IGNORED);
  }

  @Test
  void masksEightyPercentAndReplacesTenPercent() {
    int[] kinds = new int[3];
    int[] hits = new int[40];
    int rows = 20_000;
    for (int i = 0; i < rows; i++) {
      int[] ids = row(40);
      Masking.Masked masked = masking(0.15, 3).mask(ids, "file:" + i, 0);
      for (int at = 0; at < ids.length; at++) {
        if (masked.labels()[at] == Masking.IGNORED) {
          assertThat(masked.ids()[at]).isEqualTo(ids[at]);
          continue;
        }
        assertThat(masked.labels()[at]).isEqualTo(ids[at]);
        hits[at - 1]++;
        int id = masked.ids()[at];
        kinds[id == MASK ? 0 : id == ids[at] ? 2 : 1]++;
        assertThat(id == MASK || !SPECIAL.contains(id)).isTrue();
      }
    }
    double total = 6.0 * rows;
    // Four standard errors of a share of 120,000 draws: 0.0046 at 0.8, 0.0035 at 0.1.
    assertThat(kinds[0] / total).isCloseTo(0.8, within(0.0046));
    assertThat(kinds[1] / total).isCloseTo(0.1 * 994 / 995, within(0.0035));
    assertThat(kinds[2] / total).isCloseTo(0.1, within(0.0035));
    // Each of 40 places is chosen in 15 % of 20,000 rows: 3,000, with a standard error of 50.
    assertThat(IntStream.of(hits)).allSatisfy(hit -> assertThat(hit).isBetween(2750, 3250));
  }

  private static Masking masking(double probability, long seed) {
    return new Masking(probability, seed, VOCABULARY, MASK, SPECIAL);
  }

  /** Returns [CLS], {@code n} tokens, [SEP]. */
  private static int[] row(int n) {
    int[] ids = IntStream.range(99, 101 + n).toArray();
    ids[0] = 2;
    ids[n + 1] = 3;
    return ids;
  }

  private static long chosen(Masking.Masked masked) {
    return IntStream.of(masked.labels()).filter(label -> label != Masking.IGNORED).count();
  }
}
