package io.stillhouse.jobs.train.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HalvingTest {
  private static final List<String> MORE_IS_BETTER =
      List.of("accuracy", "agreement", "matthews", "pearson", "micro-f1");

  @TempDir private Path directory;

  @Test
  void keepsBetterHalfRoundedUp() throws IOException {
    Halving.Decision decision = decide("loss", 0.5, paused("a", 3), paused("b", 1), paused("c", 2));

    assertThat(decision.goingOn()).containsExactly("b", "c");
    assertThat(decision.out())
        .extracting(SweepOutcome::name, SweepOutcome::status)
        .containsExactly(tuple("a", SweepOutcome.Status.STOPPED));
    assertThat(decision.measured()).isEqualTo(Map.of("a", 3.0, "b", 1.0, "c", 2.0));
  }

  @Test
  void keepsHigherMetrics() throws IOException {
    for (String by : MORE_IS_BETTER) {
      assertThat(decide(by, 0.5, paused("a", 0.3), paused("b", 0.9)).goingOn())
          .as(by)
          .containsExactly("b");
    }
  }

  @Test
  void breaksTiesByName() throws IOException {
    assertThat(decide("loss", 0.5, paused("b", 1), paused("c", 1), paused("a", 1)).goingOn())
        .containsExactly("a", "b");
  }

  @Test
  void ranksNaNLast() throws IOException {
    for (String by : List.of("loss", "accuracy")) {
      assertThat(decide(by, 0.5, paused("a", Double.NaN), paused("b", 1)).goingOn())
          .containsExactly("b");
    }
  }

  @Test
  void computesShareWithoutFloatingPointError() throws IOException {
    assertThat(
            decide(
                    "loss",
                    0.1,
                    java.util.stream.IntStream.range(0, 30)
                        .mapToObj(i -> paused("s" + i, i))
                        .toArray(SweepOutcome[]::new))
                .goingOn())
        .hasSize(3);
  }

  @Test
  void keepsAtLeastOneAndDropsFailedStudents() throws IOException {
    SweepOutcome failed = SweepOutcome.failed("b", null, new IOException("gone"));

    Halving.Decision decision = decide("loss", 0.01, paused("a", 5), failed);

    assertThat(decision.goingOn()).containsExactly("a");
    assertThat(decision.out()).containsExactly(failed);
  }

  @Test
  void readsBackDecision() throws IOException {
    Halving.Decision decision = decide("loss", 0.5, paused("a", Double.NaN), paused("b", 1));

    assertThat(halving("loss", 0.5).readDecision(10)).contains(decision);
    assertThat(halving("loss", 0.5).readDecision(20)).isEmpty();
  }

  private Halving.Decision decide(String by, double keep, SweepOutcome... outcomes)
      throws IOException {
    return halving(by, keep).decide(10, List.of(outcomes));
  }

  private Halving halving(String by, double keep) {
    return new Halving(
        new Storage(new Configuration()),
        new org.apache.hadoop.fs.Path(directory.toUri()),
        new Halving.Rule(List.of(10, 20), keep, by),
        List.of());
  }

  private static SweepOutcome paused(String name, double value) {
    Map<String, Double> validation = new HashMap<>(Map.of("loss", value));
    MORE_IS_BETTER.forEach(by -> validation.put(by, value));
    return SweepOutcome.paused(
        new TrainedStudent(
            name,
            "students/" + name,
            "fingerprint",
            new TrainedStudent.Model(1, null),
            new TrainedStudent.Training(10, null, null),
            new TrainedStudent.Losses(Map.of(), Map.of(), validation),
            new TrainedStudent.Speed(1, 1, 0, 1)));
  }
}
