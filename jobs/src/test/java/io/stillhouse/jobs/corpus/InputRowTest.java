package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class InputRowTest {
  private static final InputRow FULL =
      new InputRow(
          "k~1",
          "t",
          "p",
          new InputRow.Tokens(
              new int[] {2, 70_000, 3}, new int[] {0, 0, 1}, new int[] {-100, 5, -100}),
          2.0,
          null);

  private static final InputRow BARE =
      new InputRow(
          "k", "t", null, new InputRow.Tokens(new int[] {2, 3}, new int[2], null), null, null);

  @Test
  void readsBackItsCells() {
    assertThat(InputRow.of(FULL.values())).usingRecursiveComparison().isEqualTo(FULL);
  }

  @Test
  void readsNullCells() {
    assertThat(InputRow.of(BARE.values())).usingRecursiveComparison().isEqualTo(BARE);
  }

  @Test
  void missingLabelIsNaN() {
    assertThat(BARE.inputs().label()).isNaN();
  }

  @Test
  void invalidRowHasNoTokens() {
    InputRow invalid = InputRow.invalid("k", "t", null, "empty");

    assertThat(invalid.length()).isZero();
    assertThat(invalid.hasTokens()).isFalse();
  }
}
