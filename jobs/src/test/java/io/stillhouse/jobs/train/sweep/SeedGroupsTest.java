package io.stillhouse.jobs.train.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.jobs.train.student.TrainedStudent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SeedGroupsTest {
  private static final List<SeedGroups.Group> GROUPS =
      SeedGroups.of(
          List.of(
              row("full_seed-1", 0.8),
              row("full_seed-2", 0.6),
              row("full_seed-3", 0.7),
              row("no-attention_seed-1", 0.7),
              row("no-attention_seed-2", 0.3),
              row("alone_seed-1", 0.1)));

  @Test
  void groupsStudentsThatHaveSeveralSeeds() {
    assertThat(GROUPS)
        .extracting(SeedGroups.Group::name, SeedGroups.Group::seeds)
        .containsExactly(tuple("full", 3), tuple("no-attention", 2));
  }

  @Test
  void averagesOverSeeds() {
    SeedGroups.Mean accuracy = GROUPS.get(0).validation().get("accuracy");

    assertThat(accuracy.value()).isCloseTo(0.7, within(1e-12));
    assertThat(accuracy.standardError()).isCloseTo(0.1 / Math.sqrt(3), within(1e-12));
  }

  @Test
  void comparesWithFirstGroupPerSeed() {
    SeedGroups.Mean difference = GROUPS.get(1).againstFirst().get("accuracy");

    assertThat(difference.value()).isCloseTo(-0.2, within(1e-12)); // of -0.1 and -0.3
    assertThat(difference.standardError()).isCloseTo(0.1, within(1e-12));
  }

  @Test
  void doesNotCompareFirstGroupWithItself() {
    assertThat(GROUPS.get(0).againstFirst()).isEmpty();
  }

  @Test
  void skipsDifferencesForSeedsMissingInFirstGroup() {
    List<SeedGroups.Group> groups =
        SeedGroups.of(
            List.of(
                row("a_seed-1", 0.5),
                row("a_seed-2", 0.5),
                row("b_seed-3", 1),
                row("b_seed-4", 1)));

    assertThat(groups.get(1).againstFirst()).isEmpty();
  }

  @Test
  void skipsUnfinishedStudents() {
    SweepJob.Row failed =
        new SweepJob.Row(
            "a_seed-3", SweepOutcome.Status.FAILED, Map.of(), null, "out of memory", false);

    assertThat(SeedGroups.of(List.of(row("a_seed-1", 0.5), row("a_seed-2", 0.5), failed)))
        .extracting(SeedGroups.Group::seeds)
        .containsExactly(2);
  }

  @Test
  void keepsSettingsOtherThanSeed() {
    assertThat(GROUPS.get(0).values()).containsOnlyKeys("loss.attention-mse.weight");
  }

  @Test
  void writesMarkdown() {
    assertThat(SeedGroups.markdown(GROUPS, List.of("loss", "accuracy")))
        .isEqualTo(
            """
            | student | seeds | validation accuracy | against the first |
            | --- | --- | --- | --- |
            | full | 3 | 0.7000 ± 0.0577 |  |
            | no-attention | 2 | 0.5000 ± 0.2000 | -0.2000 ± 0.1000 |
            """);
  }

  @Test
  void groupsLongAndNegativeSeeds() {
    assertThat(
            SeedGroups.of(
                List.of(
                    row("a_seed-1234567890", 0.8),
                    row("a_seed-12345678901", 0.6),
                    row("a_seed--1", 0.7))))
        .extracting(SeedGroups.Group::name, SeedGroups.Group::seeds)
        .containsExactly(tuple("a", 3));
  }

  @Test
  void writesNoTableWithoutSeeds() {
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
