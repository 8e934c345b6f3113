package io.stillhouse.jobs.train.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.jobs.train.student.TrainedStudent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SeedGroupsTest {
  @Test
  void seedsOfOneRecipeAreAMeanAndDifferencesAreTakenSeedBySeed() {
    List<SeedGroups.Group> groups =
        SeedGroups.of(
            List.of(
                row("full_seed-1", 0.8),
                row("full_seed-2", 0.6),
                row("full_seed-3", 0.7),
                row("no-attention_seed-1", 0.7),
                row("no-attention_seed-2", 0.3),
                row("alone_seed-1", 0.1)));

    assertThat(groups).extracting(SeedGroups.Group::name).containsExactly("full", "no-attention");
    SeedGroups.Group full = groups.get(0);
    assertThat(full.seeds()).isEqualTo(3);
    assertThat(full.validation().get("accuracy").value()).isCloseTo(0.7, within(1e-12));
    assertThat(full.validation().get("accuracy").standardError())
        .isCloseTo(0.1 / Math.sqrt(3), within(1e-12));
    assertThat(full.againstFirst()).isEmpty();
    assertThat(full.values()).containsOnlyKeys("loss.attention-mse.weight");
    SeedGroups.Mean difference = groups.get(1).againstFirst().get("accuracy");
    assertThat(difference.value()).isCloseTo(-0.2, within(1e-12)); // of -0.1 and -0.3
    assertThat(difference.standardError()).isCloseTo(0.1, within(1e-12));
    assertThat(SeedGroups.markdown(groups, List.of("loss", "accuracy")))
        .isEqualTo(
            """
            | student | seeds | validation accuracy | against the first |
            | --- | --- | --- | --- |
            | full | 3 | 0.7000 ± 0.0577 |  |
            | no-attention | 2 | 0.5000 ± 0.2000 | -0.2000 ± 0.1000 |
            """);
  }

  @Test
  void longAndNegativeSeedsAreGroupedToo() {
    assertThat(
            SeedGroups.of(
                List.of(
                    row("a_seed-1234567890", 0.8),
                    row("a_seed-12345678901", 0.6),
                    row("a_seed--1", 0.7))))
        .extracting(SeedGroups.Group::name, SeedGroups.Group::seeds)
        .containsExactly(org.assertj.core.groups.Tuple.tuple("a", 3));
  }

  @Test
  void withoutSeedsThereIsNoTable() {
    assertThat(SeedGroups.of(List.of(row("layers-2", 0.8), row("layers-4", 0.9)))).isEmpty();
    assertThat(SeedGroups.markdown(List.of(), List.of("loss"))).isEmpty();
  }

  private static SweepJob.Row row(String name, double accuracy) {
    Map<String, String> values = new LinkedHashMap<>();
    values.put("loss.attention-mse.weight", "1");
    values.put("train.seed", "7");
    TrainedStudent trained =
        new TrainedStudent(
            name,
            "students/" + name,
            "fingerprint",
            new TrainedStudent.Model(1, null),
            new TrainedStudent.Training(10, null, null),
            new TrainedStudent.Losses(Map.of(), Map.of(), Map.of("accuracy", accuracy)),
            new TrainedStudent.Speed(1, 1, 0, 1));
    return new SweepJob.Row(name, SweepOutcome.Status.TRAINED, values, trained, null, false);
  }
}
