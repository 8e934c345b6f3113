package io.stillhouse.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CurveTest {
  @Test
  void readsStepsOfFinishedStudent() {
    Curve curve =
        Curve.of(
            "a",
            List.of(
                """
                {"step":1,"loss":3.0,"soft-label":2.5,"learning-rate":1e-4,"gradient-norm":2,\
                "tokens":100,"tokens-seen":100,"seconds":2,"wait-seconds":0.5}\
                """),
            10);
    assertThat(curve.losses()).containsExactly("loss", "soft-label");
    assertThat(curve.values().get(Curve.SPEED)).containsExactly(50);
    assertThat(curve.values().get(Curve.WAITING)).containsExactly(0.25);
    assertThat(curve.tokensSeen()).containsExactly(100);
  }

  @Test
  void pointsAreMeansOfConsecutiveSteps() {
    List<String> lines = new ArrayList<>();
    for (int step = 1; step <= 6; step++) {
      lines.add("{\"step\":" + step + ",\"tokens-seen\":" + 10 * step + ",\"loss\":" + step + "}");
    }
    Curve curve = Curve.of("a", lines, 2);
    assertThat(curve.step()).containsExactly(3, 6);
    assertThat(curve.tokensSeen()).containsExactly(30, 60);
    assertThat(curve.values().get("loss")).containsExactly(2, 5);
  }

  @Test
  void laterStepsOfResumedRunReplaceEarlierOnes() {
    Curve curve =
        Curve.of(
            "a",
            List.of(
                "{\"step\":1,\"tokens-seen\":1,\"loss\":9}",
                "{\"step\":2,\"tokens-seen\":2,\"loss\":8}",
                "{\"step\":3,\"tokens-seen\":3,\"loss\":7}",
                "{\"step\":2,\"tokens-seen\":2,\"loss\":5}"),
            10);
    assertThat(curve.step()).containsExactly(1, 2);
    assertThat(curve.values().get("loss")).containsExactly(9, 5);
  }

  @Test
  void skipsLinesThatAreNotComplete() {
    Curve curve =
        Curve.of("a", List.of("{\"step\":1,\"tokens-seen\":1,\"loss\":9}", "{\"step\":2,\"to"), 9);
    assertThat(curve.step()).containsExactly(1);
  }

  @Test
  void skipsLinesWithOtherValuesThanNumbers() {
    String step = "{\"step\":2,\"tokens-seen\":2,\"loss\":";
    Curve curve =
        Curve.of(
            "a",
            List.of(
                "{\"step\":1,\"tokens-seen\":1,\"loss\":9}",
                step + "null}",
                step + "{}}",
                step + "\"low\"}"),
            9);
    assertThat(curve.step()).containsExactly(1);
  }

  @Test
  void stepWithoutTokensHasNoSpeed() {
    Curve curve =
        Curve.of("a", List.of("{\"step\":1,\"tokens-seen\":1,\"loss\":9,\"seconds\":2}"), 9);
    assertThat(curve.values()).containsOnlyKeys("loss");
  }

  @Test
  void termThatStepsLackIsNotANumberThere() {
    Curve curve =
        Curve.of(
            "a",
            List.of(
                "{\"step\":1,\"tokens-seen\":1,\"loss\":9}",
                "{\"step\":2,\"tokens-seen\":2,\"loss\":8,\"hard-label\":4}"),
            10);
    assertThat(curve.values().get("hard-label")[0]).isNaN();
    assertThat(curve.last("hard-label")).isEqualTo(4);
  }

  @Test
  void readsPartOfLongFilesUpToTheirLastStep() {
    List<String> lines = new ArrayList<>();
    for (int step = 1; step <= 10_000; step++) {
      lines.add("{\"step\":" + step + ",\"tokens-seen\":" + step + ",\"loss\":1.5}");
    }
    Curve curve = Curve.of("a", lines, 100);
    assertThat(curve.step()).hasSize(100).endsWith(10_000);
    assertThat(curve.last("loss")).isEqualTo(1.5, within(1e-12));
  }
}
