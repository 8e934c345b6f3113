package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class PrunedHeadsTest {
  private static final List<List<Double>> IMPORTANCE =
      List.of(List.of(0.1, 0.2, 0.3), List.of(0.9, 0.4, 0.25), List.of(0.8, 0.8, 0.05));

  @Test
  void prunesLeastImportantHeadsOfAllBlocks() {
    assertThat(PrunedHeads.least(IMPORTANCE, 4))
        .isEqualTo(new PrunedHeads(List.of(List.of(1, 2), List.of(3), List.of(3))));
  }

  @Test
  void keepsMostImportantHeadOfEachBlock() {
    // 0.3 of the first block comes before 0.4, but is its last one.
    assertThat(PrunedHeads.least(IMPORTANCE, 5))
        .isEqualTo(new PrunedHeads(List.of(List.of(1, 2), List.of(2, 3), List.of(3))));
    assertThatThrownBy(() -> PrunedHeads.least(IMPORTANCE, 7))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("7 of 9 heads cannot be pruned, because each of 3 blocks keeps one");
  }

  @Test
  void prunesFirstOfEqualHeads() {
    assertThat(PrunedHeads.least(List.of(List.of(0.5, 0.5), List.of(0.5, 0.5)), 1).blocks())
        .isEqualTo(List.of(List.of(1), List.of()));
  }

  @Test
  void zeroPrunedHeadsEqualNone() {
    assertThat(PrunedHeads.least(IMPORTANCE, 0)).isEqualTo(PrunedHeads.NONE);
    assertThat(PrunedHeads.least(IMPORTANCE, 5).count()).isEqualTo(5);
  }
}
