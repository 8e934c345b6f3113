package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TinyBERT's two stages, of a tiny student narrower than its teacher. */
@Tag("spark")
class StageTest {
  private static final String STAGES =
      "train.stages=[{ name = intermediate, loss.soft-label.weight = 0, train.max-steps = 8 },"
          + " { name = prediction, loss.hidden-mse.weight = 0, train.learning-rate = 1e-3 }]";

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @BeforeEach
  void cache() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 64, "LABEL_2", "LABEL_0");
    new CacheJob(
            spark,
            TinyRecipe.labelled(corpus)
                .cache(directory.resolve("cache"))
                .settings("targets.hidden=[0, 1, 2, 3]"))
        .run();
  }

  @Test
  void eachStageStartsFromWeightsOfPreviousStage() throws IOException {
    TrainJob.Result result = StagedTraining.train(spark, settings("students", STAGES));

    assertThat(result.students())
        .extracting(TrainedStudent::name)
        .containsExactly("student", "student-baseline");
    TrainedStudent student = result.students().get(0);
    assertThat(student.losses().last()).containsOnlyKeys("soft-label");
    assertThat(student.steps()).isEqualTo(12);

    Path first = directory.resolve("students/_stages/1-intermediate");
    // The same by hand: the second stage alone, starting from the student of the first.
    new TrainJob(
            spark,
            settings(
                "by-hand",
                "student.init=" + first.resolve("student"),
                "loss.hidden-mse.weight=0",
                "train.learning-rate=1e-3",
                "train.baseline=false"))
        .run();
    assertThat(weights(directory.resolve("students/student")))
        .isEqualTo(weights(directory.resolve("by-hand/student")));
    assertThat(first.resolve("student-baseline")).isDirectory();
    assertThat(first.resolve("student/projections.safetensors")).exists();
  }

  @Test
  void baselineIsTrainedInEveryStageWithLabels() throws IOException {
    Path plain = withoutLabels(Tiny.CLS);
    String labels =
        "loss.soft-label.weight = 0, loss.hidden-mse.weight = 0, loss.hard-label.weight = 1";
    String stages =
        format(
            "train.stages=[{ name = a }, { name = b, cache.path = \"%s\" }, { name = c, %s }]",
            plain, labels);

    assertThat(StagedTraining.train(spark, settings("students", stages)).students())
        .extracting(TrainedStudent::name)
        .containsExactly("student", "student-baseline");
    Path first = directory.resolve("students/_stages/1-a");
    assertThat(directory.resolve("students/_stages/2-b/student-baseline")).doesNotExist();
    // The same by hand: the baseline's last stage, starting from its first stage.
    List<String> byHand = new ArrayList<>(List.of(labels.replace(" = ", "=").split(", ")));
    byHand.add("student.init=" + first.resolve("student-baseline"));
    new TrainJob(spark, settings("by-hand", byHand.toArray(String[]::new))).run();
    assertThat(weights(directory.resolve("students/student-baseline")))
        .isEqualTo(weights(directory.resolve("by-hand/student")));
    assertThat(StagedTraining.train(spark, settings("students", stages)).alreadyTrained())
        .hasSize(2);
  }

  @Test
  void baselineWithoutEarlierStageStartsLikeStudent() throws IOException {
    Path other = Tiny.otherWeights(directory.resolve("another"));
    Path plain = withoutLabels(other);
    String[] fromTeacher = {
      "student.hidden-size=" + Tiny.WIDTH,
      "student.intermediate-size=64",
      "student.init=teacher",
      format("train.stages=[{ name = a, cache.path = \"%s\" }, { name = b }]", plain)
    };
    StagedTraining.train(spark, settings("students", fromTeacher));

    new TrainJob(
            spark,
            settings(
                "by-hand",
                "student.hidden-size=" + Tiny.WIDTH,
                "student.intermediate-size=64",
                "student.init=" + other,
                "loss.soft-label.weight=0",
                "loss.hidden-mse.weight=0",
                "loss.hard-label.weight=1"))
        .run();
    assertThat(weights(directory.resolve("students/student-baseline")))
        .isEqualTo(weights(directory.resolve("by-hand/student")));
  }

  private Path withoutLabels(Path teacher) throws IOException {
    Path rows = Tiny.labelled(directory.resolve("plain.tsv"), 64, "LABEL_2", "LABEL_0");
    Path cache = directory.resolve("plain");
    new CacheJob(
            spark,
            TinyRecipe.unlabelled(rows)
                .teacher(teacher)
                .cache(cache)
                .settings("targets.hidden=[0, 1, 2, 3]"))
        .run();
    return cache;
  }

  @Test
  void finishedStagesAreNotRepeated() throws IOException {
    StagedTraining.train(spark, settings("students", STAGES));
    byte[] before = weights(directory.resolve("students/student"));

    assertThat(StagedTraining.train(spark, settings("students", STAGES)).alreadyTrained())
        .containsExactly("student", "student-baseline");
    assertThat(weights(directory.resolve("students/student"))).isEqualTo(before);
  }

  @Test
  void rejectsStageOfDifferentRecipe() throws IOException {
    StagedTraining.train(spark, settings("students", STAGES));
    String longer = STAGES.replace("max-steps = 8", "max-steps = 9");

    assertThatThrownBy(() -> StagedTraining.train(spark, settings("students", longer)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1-intermediate/student' contains a student of another recipe");
  }

  @Test
  void retrainingStageInvalidatesNext() throws IOException {
    String alone = "train.baseline=false";
    StagedTraining.train(spark, settings("students", STAGES, alone));
    FileUtils.deleteDirectory(
        directory.resolve("students/_stages/1-intermediate/student").toFile());

    String longer = STAGES.replace("max-steps = 8", "max-steps = 9");
    assertThatThrownBy(() -> StagedTraining.train(spark, settings("students", longer, alone)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("students/student' contains a student of another recipe or cache");
    FileUtils.deleteDirectory(directory.resolve("students/student").toFile());
    assertThat(StagedTraining.train(spark, settings("students", longer, alone)).alreadyTrained())
        .isEmpty();
  }

  @Test
  void projectionsAreCarriedOver() throws IOException {
    String stages =
        "train.stages=[{ name = a, train.max-steps = 8, train.warmup-steps = 0 },"
            + " { name = b, train.max-steps = 1, train.learning-rate = 1e-9 }]";
    StagedTraining.train(spark, settings("students", stages, "train.baseline=false"));

    assertThat(
            Files.readAllBytes(directory.resolve("students/student/projections.safetensors"))
                .length)
        .isPositive();
    TrainedStudent last = trained("students/student");
    TrainedStudent first = trained("students/_stages/1-a/student");
    // New projections would give the loss before the first step.
    assertThat(last.losses().first().get("hidden-mse"))
        .isLessThan(
            (first.losses().first().get("hidden-mse") + first.losses().last().get("hidden-mse"))
                / 2);
  }

  @Test
  void sweepTrainsStagesAndResumes() throws IOException {
    SweepJob.Result result =
        StagedTraining.sweep(
            spark, settings("sweep", STAGES, "sweep.over.loss.hidden-mse.weight=[1, 0.5]"));

    assertThat(result.exitCode()).isZero();
    assertThat(result.students())
        .extracting(SweepJob.Row::name)
        .containsExactly("hidden-mse-1", "hidden-mse-0.5");
    for (SweepJob.Row row : result.students()) {
      assertThat(row.training().losses().last()).containsOnlyKeys("soft-label");
    }
    assertThat(trained("sweep/_stages/1-intermediate/hidden-mse-0.5").losses().last())
        .containsOnlyKeys("hidden-mse");

    // Run again, the sweep resumes: one student of the last stage is missing.
    byte[] kept = weights(directory.resolve("sweep/hidden-mse-1"));
    byte[] made = weights(directory.resolve("sweep/hidden-mse-0.5"));
    FileUtils.deleteDirectory(directory.resolve("sweep/hidden-mse-0.5").toFile());
    SweepJob.Result again =
        StagedTraining.sweep(
            spark, settings("sweep", STAGES, "sweep.over.loss.hidden-mse.weight=[1, 0.5]"));
    assertThat(again.exitCode()).isZero();
    assertThat(weights(directory.resolve("sweep/hidden-mse-1"))).isEqualTo(kept);
    assertThat(weights(directory.resolve("sweep/hidden-mse-0.5"))).isEqualTo(made);
  }

  @Test
  void reportsMistakesInLastStageBeforeTraining() {
    String stages =
        STAGES.replace("loss.hidden-mse.weight = 0,", "student.layer-map = \"[0, 5]\",");

    assertThatThrownBy(() -> StagedTraining.train(spark, settings("students", stages)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("names hidden state 5, but the teacher has 0..3");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void rejectsUnnamedStagesAndStagesWithOwnStudents() {
    assertThatThrownBy(
            () ->
                settings(
                    "students",
                    "train.stages=[{ student.layers = 3 }, { name = a, train.epoch = 2 }, { name ="
                        + " a, loss.soft-label.temperature = 0 }]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a stage of train.stages has no name")
        .hasMessageContaining(
            "'student.layers' cannot be in train.stages, because all stages share it; set it"
                + " outside")
        .hasMessageContaining("unknown key 'train.epoch' in train.stages; did you mean")
        .hasMessageContaining("train.stages names 'a' twice")
        .hasMessageContaining(
            "loss.soft-label.temperature in train.stages must be a finite number > 0, but is '0'");
  }

  @Test
  void rejectsTeacherWithDifferentTokens() throws IOException {
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(Tiny.CLS, swapped);
    assertThatThrownBy(() -> StagedTraining.train(spark, settings("students", thenWith(swapped))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the teacher of stage 2 in train.stages has a different tokenizer")
        .hasMessageContaining(difference);
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void rejectsTeacherOfDifferentSize() throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(Tiny.CLS).spec();
    EncoderSpec longer =
        new EncoderSpec(
            new EncoderSpec.Embeddings(spec.vocabSize(), 64, 2, spec.embeddings().padTokenId()),
            spec.blocks(),
            spec.numerics(),
            spec.head());
    Path other = directory.resolve("longer");
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory.write(other, longer, StudentInit.random(manager, longer, 1), Tiny.CLS);
    }
    assertThatThrownBy(() -> StagedTraining.train(spark, settings("students", thenWith(other))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("student is bert with 120 tokens, 40 positions")
        .hasMessageContaining("in the first of train.stages and bert with 120 tokens, 64 positions")
        .hasMessageContaining("in stage 2, which starts from it");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  /** Returns two stages, the second with another teacher and its cache. */
  private String thenWith(Path teacher) throws IOException {
    Path rows = Tiny.labelled(directory.resolve("again.tsv"), 64, "LABEL_2", "LABEL_0");
    Path cache = directory.resolve("cache-" + teacher.getFileName());
    new CacheJob(
            spark,
            TinyRecipe.labelled(rows)
                .teacher(teacher)
                .cache(cache)
                .settings("targets.hidden=[0, 1, 2, 3]"))
        .run();
    return format("train.stages=[{ name = a }, { name = b, cache.path = \"%s\" }]", cache);
  }

  private TrainedStudent trained(String student) throws IOException {
    return io.stillhouse.jobs.storage.Storage.JSON.fromJson(
        Files.readString(directory.resolve(student).resolve("training.json")),
        TrainedStudent.class);
  }

  private static byte[] weights(Path student) throws IOException {
    return Files.readAllBytes(student.resolve("model.safetensors"));
  }

  private Settings settings(String students, String... more) {
    return TinyRecipe.empty()
        .cache(directory.resolve("cache"))
        .student(directory.resolve(students))
        .with("train.epochs=3", "train.batch-size=16", "train.learning-rate=5e-3")
        .settings(more);
  }
}
