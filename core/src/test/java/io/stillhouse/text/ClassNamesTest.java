package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ClassNamesTest {

  @Test
  void ordersNumbersByValue() {
    List<String> shuffled = List.of("10", "2", "0", "11", "1", "9", "3", "8", "4", "7", "5", "6");
    assertThat(ClassNames.ordered(shuffled))
        .isEqualTo(IntStream.range(0, 12).mapToObj(Integer::toString).toList());
    assertThat(ClassNames.ordered(List.of("1", "-1", "0"))).containsExactly("-1", "0", "1");
    assertThat(ClassNames.ordered(List.of("5.0", "0.5", "10", "4.50", "-0.5")))
        .containsExactly("-0.5", "0.5", "4.5", "5", "10");
  }

  @Test
  void countsEqualNumbersOnce() {
    assertThat(ClassNames.ordered(List.of("1", "1.0", "0.0", "0", "-0", "1.00")))
        .containsExactly("0", "1");
    assertThat(ClassNames.ordered(List.of("01", "1"))).containsExactlyInAnyOrder("01", "1");
  }

  @Test
  void ordersWordsByNumberAtTheirEnd() {
    assertThat(ClassNames.ordered(List.of("LABEL_10", "LABEL_2", "LABEL_0")))
        .containsExactly("LABEL_0", "LABEL_2", "LABEL_10");
    assertThat(ClassNames.ordered(List.of("true", "false", "7", "pos ", "pos")))
        .containsExactly("7", "false", "pos", "true");
  }

  @Test
  void orderDoesNotDependOnOrderOfData() {
    List<String> names = List.of("b", "a1", "a", "a01", "2", "1.5", "-3", "c10", "c9", "");
    for (int turn = 0; turn < names.size(); turn++) {
      List<String> turned = new ArrayList<>(names);
      Collections.rotate(turned, turn);
      assertThat(ClassNames.ordered(turned)).isEqualTo(ClassNames.ordered(names));
    }
  }

  @Test
  void cutsLongListInMessage() {
    assertThat(ClassNames.shown(List.of("neg", "pos"))).isEqualTo("[neg, pos]");
    assertThat(ClassNames.shown(Collections.nCopies(77, "a".repeat(50)))).hasSizeLessThan(250);
    assertThat(ClassNames.shown(Collections.nCopies(77, "a"))).endsWith("] and 65 more");
  }
}
