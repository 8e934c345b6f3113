package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class MicroBatchesTest {
  @Test
  void splitsSortedRowsByPaddedTokenBudget() {
    assertThat(lengths(List.of(5, 2, 9, 2, 3), 10))
        .containsExactly(List.of(2, 2, 3), List.of(5), List.of(9));
  }

  @Test
  void fillsBudgetExactly() {
    assertThat(lengths(List.of(4, 4, 4), 12)).containsExactly(List.of(4, 4, 4));
    assertThat(lengths(List.of(4, 4, 4), 11)).containsExactly(List.of(4, 4), List.of(4));
  }

  @Test
  void putsRowOverBudgetIntoItsOwnBatch() {
    assertThat(lengths(List.of(50, 1, 60), 10))
        .containsExactly(List.of(1), List.of(50), List.of(60));
  }

  @Test
  void rowsOfOneLengthKeepTheirOrder() {
    assertThat(
            MicroBatches.split(
                List.of("dd", "b", "cc", "a", "bb"),
                String::length,
                6,
                MicroBatches.Phase.TRAINING))
        .containsExactly(List.of("b", "a"), List.of("dd", "cc", "bb"));
  }

  @Test
  void doesNotPadManyShortRowsToLongOnes() {
    List<Integer> rows = new java.util.ArrayList<>(java.util.Collections.nCopies(30, 10));
    rows.add(60);
    rows.add(62);

    assertThat(lengths(rows, 2048))
        .containsExactly(java.util.Collections.nCopies(30, 10), List.of(60, 62));
  }

  @Test
  void rowsOfSimilarLengthShareBatch() {
    assertThat(lengths(List.of(10, 11, 12), 2048)).containsExactly(List.of(10, 11, 12));
  }

  @Test
  void inferencePadsMoreAndMakesFewerBatches() {
    List<Integer> rows = new java.util.ArrayList<>(java.util.Collections.nCopies(30, 10));
    rows.add(20);

    assertThat(MicroBatches.split(rows, Integer::intValue, 2048, MicroBatches.Phase.INFERENCE))
        .hasSize(1);
    assertThat(lengths(rows, 2048))
        .containsExactly(java.util.Collections.nCopies(30, 10), List.of(20));
  }

  @Test
  void returnsNoBatchesWithoutRows() {
    assertThat(lengths(List.of(), 10)).isEmpty();
  }

  @Test
  void largeBudgetDoesNotOverflow() {
    int half = 1 << 30;

    assertThat(lengths(List.of(half, half, half, half), Integer.MAX_VALUE)).hasSize(4);
  }

  private static List<List<Integer>> lengths(List<Integer> rows, int tokens) {
    return MicroBatches.split(rows, Integer::intValue, tokens, MicroBatches.Phase.TRAINING);
  }
}
