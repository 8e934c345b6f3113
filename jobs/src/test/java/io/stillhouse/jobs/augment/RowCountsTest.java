package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.corpus.InvalidRows;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RowCountsTest {
  private static final RowCounts ONE = new RowCounts(1, InvalidRows.NONE, 4, 2, 30, 6, 5);

  @Test
  void addsEveryCount() {
    assertThat(ONE.plus(ONE)).isEqualTo(new RowCounts(2, InvalidRows.NONE, 8, 4, 60, 12, 10));
  }

  @Test
  void addsSkippedRowsByReason() {
    RowCounts counts =
        RowCounts.leftOut("empty", "a")
            .plus(RowCounts.leftOut("empty", "b"))
            .plus(RowCounts.leftOut("odd", "c"));

    assertThat(counts.leftOut()).containsExactly(Map.entry("empty", 2L), Map.entry("odd", 1L));
    assertThat(counts.leftOutRows()).isEqualTo(3);
    assertThat(counts.read()).isEqualTo(3);
  }

  @Test
  void replacedShareIsReplacedWordsOverAllWords() {
    assertThat(ONE.replacedShare()).isEqualTo(0.2);
  }

  @Test
  void replacedShareIsZeroWithoutWords() {
    assertThat(RowCounts.NONE.replacedShare()).isZero();
  }
}
