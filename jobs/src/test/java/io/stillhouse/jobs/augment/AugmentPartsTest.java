package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AugmentPartsTest {
  @ParameterizedTest
  @CsvSource({"1, 1", "200, 7", "1600, 16", "67_349, 132"})
  void splitsSmallCorpusIntoSmallerParts(String rows, int parts) {
    assertThat(AugmentJob.parts(Long.parseLong(rows.replace("_", "")), 512)).isEqualTo(parts);
  }
}
