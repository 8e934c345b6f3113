package io.stillhouse.jobs.train.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.OneShardCache;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Makes the runs of students of a cache with two rows of class 1 and one of class 0. */
class StudentRunsTest {
  private static final List<InputRow> LABELLED =
      List.of(
          OneShardCache.row("a", "he was", 1.0),
          OneShardCache.row("b", "he had", 1.0),
          OneShardCache.row("c", "not this", 0.0));
  private static final List<InputRow> UNLABELLED = List.of(OneShardCache.row("a", "he was", null));
  private static final Column[] TARGETS = {Targets.LOGITS, Targets.hidden(3)};

  private static final String[] LABELS_ALONE = {
    "loss.hard-label.weight=1", "loss.soft-label.weight=0", "loss.hidden-mse.weight=0"
  };

  @TempDir private Path directory;

  @Test
  void makesStudentAndBaseline() throws IOException {
    StudentRuns.OfRecipe made = runs(LABELLED, TARGETS);

    assertThat(made.runs())
        .extracting(StudentRun::name)
        .containsExactly("student", "student-baseline");
    assertThat(made.notes()).isEmpty();
  }

  @Test
  void baselineLearnsOnlyLabelsAndHasSameShape() throws IOException {
    List<StudentRun> runs = runs(LABELLED, TARGETS).runs();

    assertThat(runs.get(1).model()).isEqualTo(runs.get(0).model());
    assertThat(runs.get(1).train()).isEqualTo(runs.get(0).train());
    assertThat(runs.get(1).loss()).isEqualTo(runs.get(0).loss().baseline());
  }

  @Test
  void omitsBaselineOnRequest() throws IOException {
    Settings recipe = recipe(LABELLED, TARGETS).settings();

    assertThat(of(recipe, false, Stage.only(recipe)).runs())
        .extracting(StudentRun::name)
        .containsExactly("student");
  }

  @Test
  void makesNoBaselineWithoutLabels() throws IOException {
    StudentRuns.OfRecipe made = runs(UNLABELLED, TARGETS);

    assertThat(made.runs()).extracting(StudentRun::name).containsExactly("student");
    assertThat(made.notes()).containsExactly("the cache has no labels, so student has no baseline");
  }

  @Test
  void studentOfLabelsAloneIsItsOwnBaseline() throws IOException {
    StudentRuns.OfRecipe made = runs(LABELLED, new Column[0], LABELS_ALONE);

    assertThat(made.runs()).extracting(StudentRun::name).containsExactly("student");
    assertThat(made.columns()).isEmpty();
  }

  @Test
  void studentOfLabelsAloneHasBaselineIfThereAreOtherStages() throws IOException {
    Settings recipe = recipe(LABELLED).settings(LABELS_ALONE);
    Stage first = new Stage(recipe, Map.of(), true, List.of(), List.of());

    assertThat(of(recipe, true, first).runs()).hasSize(2);
  }

  @Test
  void readsColumnsOfLoss() throws IOException {
    assertThat(runs(LABELLED, TARGETS).columns())
        .containsExactlyInAnyOrder(Targets.LOGITS, Targets.hidden(3));
  }

  @Test
  void startsFromTeacherByDefault() throws IOException {
    StudentRun.Start start =
        runs(LABELLED, TARGETS, "student.init=teacher", "student.hidden-size=0")
            .runs()
            .get(0)
            .start();

    assertThat(start.directory()).endsWith("/cache/teacher");
    assertThat(start.blocks()).containsExactly(3);
  }

  @Test
  void startsFromRandomWeightsOnRequest() throws IOException {
    assertThat(runs(LABELLED, TARGETS).runs().get(0).start())
        .isEqualTo(new StudentRun.Start(null, List.of()));
  }

  @Test
  void studentHasShapeOfRecipeAndHeadOfTeacher() throws IOException {
    EncoderSpec model = (EncoderSpec) runs(LABELLED, TARGETS).runs().get(0).model();

    assertThat(model.layers()).isEqualTo(1);
    assertThat(model.hiddenSize()).isEqualTo(16);
    assertThat(model.head().labels()).hasSize(3);
  }

  @Test
  void balancesClassesByCountsOfCache() throws IOException {
    List<InputRow> rows = new ArrayList<>(LABELLED);
    rows.add(OneShardCache.row("d", "the end", 2.0));

    DistillSpec loss =
        runs(rows, TARGETS, "loss.hard-label.weight=1", "loss.hard-label.class-weights=balanced")
            .runs()
            .get(0)
            .loss();

    assertThat(loss.hard().classWeights()).containsExactly(4 / 3.0, 2 / 3.0, 4 / 3.0);
  }

  @Test
  void rejectsMissingColumn() {
    assertThatThrownBy(() -> runs(LABELLED, new Column[] {Targets.LOGITS}))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("lacks hidden_03 in some shards");
  }

  @Test
  void rejectsHardLabelsWithoutLabels() {
    assertThatThrownBy(() -> runs(UNLABELLED, TARGETS, "loss.hard-label.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("loss.hard-label.weight is 1.0, but cache")
        .hasMessageContaining("has no labels");
  }

  private StudentRuns.OfRecipe runs(List<InputRow> rows, Column[] targets, String... more)
      throws IOException {
    Settings recipe = recipe(rows, targets).settings(more);
    return of(recipe, true, Stage.only(recipe));
  }

  private TinyRecipe recipe(List<InputRow> rows, Column... targets) throws IOException {
    return recipe(Tiny.CLS, rows, targets);
  }

  private TinyRecipe recipe(Path teacher, List<InputRow> rows, Column... targets)
      throws IOException {
    Path cache = OneShardCache.write(directory.resolve("cache"), teacher, rows, targets);
    return TinyRecipe.empty().cache(cache).student(directory.resolve("students"));
  }

  private static StudentRuns.OfRecipe of(Settings recipe, boolean baseline, Stage stage)
      throws IOException {
    Storage storage = Storage.ofThisProcess();
    return new StudentRuns(storage, TrainingCache.open(storage, recipe))
        .of(recipe, baseline, stage);
  }
}
