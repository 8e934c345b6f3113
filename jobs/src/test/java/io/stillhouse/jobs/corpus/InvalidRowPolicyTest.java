package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InvalidRowPolicyTest {
  private static final InvalidRows TWO = InvalidRows.of("empty", 2, "a.csv:7");

  @Test
  void leavesOutFewRowsByDefault() {
    InvalidRowPolicy policy = InvalidRowPolicy.of(Settings.parse(null, List.of()));

    assertThat(policy).isEqualTo(new InvalidRowPolicy(true, 0.01));
    assertThatCode(() -> policy.check(TWO, 200)).doesNotThrowAnyException();
    assertThatThrownBy(() -> policy.check(TWO, 199))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "2 of 199 rows are invalid, more than corpus.max-invalid (0.01) allows: empty (2, such"
                + " as row 'a.csv:7'); correct them, or leave them out with"
                + " corpus.max-invalid=0.011");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 3, 0.34",
    "1, 2, 0.5",
    "3, 3, 1",
    "101, 1000, 0.11",
    "1, 99, 0.011",
    "7, 100, 0.07",
    "29, 100, 0.29",
    "57, 100, 0.57"
  })
  void namesShareThatIsEnough(long invalid, long rows, String share) {
    InvalidRows some = InvalidRows.of("empty", invalid, "k");

    assertThatThrownBy(() -> new InvalidRowPolicy(true, 0.001).check(some, rows))
        .hasMessageEndingWith("corpus.max-invalid=" + share);
    assertThat(new InvalidRowPolicy(true, Double.parseDouble(share)).allows(invalid, rows))
        .isTrue();
  }

  @Test
  void failsAtSingleRowIfRecipeSaysSo() {
    InvalidRowPolicy policy = new InvalidRowPolicy(false, 0.01);

    assertThatThrownBy(() -> policy.check(TWO, 1000))
        .hasMessage(
            "2 of 1,000 rows are invalid: empty (2, such as row 'a.csv:7'); correct them, or leave"
                + " them out with corpus.invalid-rows=skip");
    assertThatThrownBy(() -> policy.check(TWO, 10))
        .hasMessageEndingWith("with corpus.invalid-rows=skip corpus.max-invalid=0.2");
    assertThatCode(() -> policy.check(InvalidRows.NONE, 10)).doesNotThrowAnyException();
  }

  @Test
  void namesEncodingIfThatMayBeReason() {
    assertThatThrownBy(
            () -> new InvalidRowPolicy(true, 0).check(InvalidRows.of("not UTF-8", 1, "k"), 9))
        .hasMessageContaining("or set corpus.encoding if the files are in another encoding");
    assertThatThrownBy(
            () ->
                new InvalidRowPolicy(true, 0).check(InvalidRows.of("not a JSON object", 1, "k"), 9))
        .hasMessageNotContaining("corpus.encoding");
  }

  @Test
  void lastLineNamesMostFrequentReasonsFirst() {
    InvalidRows many = TWO.plus(InvalidRows.of("empty", 1, "a.csv:10"));
    for (int fields = 3; fields < 7; fields++) {
      many = many.plus(InvalidRows.of(fields + " fields instead of 2", 1, "b.csv:" + fields));
    }

    assertThat(InvalidRowPolicy.line(many, 5000))
        .contains(
            "left out 7 of 5,000 rows: empty (3, such as row 'a.csv:7'), 3 fields instead of 2 (1,"
                + " such as row 'b.csv:3'), 4 fields instead of 2 (1, such as row 'b.csv:4'), and 2"
                + " other reasons");
    assertThat(InvalidRowPolicy.line(InvalidRows.NONE, 5000)).isEmpty();
  }
}
