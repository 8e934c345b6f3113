package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static io.stillhouse.jobs.Tiny.mistake;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Invalid input of train and sweep. */
class BadTrainingInputTest extends BadInputFixture {
  private static Path cache;

  @BeforeAll
  static void writeCache() throws IOException {
    cache = shared.resolve("cache");
    SparkSession spark = Tiny.spark();
    new CacheJob(spark, TinyRecipe.unlabelled(corpus).cache(cache).settings()).run();
    spark.stop();
  }

  @Test
  void rejectsDepthThatDoesNotDivideEvenly() {
    assertThat(mistake(trainOf(cache, "student.layers=2", "loss.soft-label.weight=1")))
        .contains("uniform")
        .contains("2")
        .contains("3");
    assertNothingWritten();
  }

  @Test
  void rejectsRecipeWithoutLoss() {
    assertThat(mistake(trainOf(cache, "student.layers=1")))
        .contains("every loss weight is 0; set at least one, such as loss.soft-label.weight=1");
    assertNothingWritten();
  }

  @Test
  void rejectsLossOnMissingColumn() {
    assertThat(mistake(trainOf(cache, "student.layers=1", "loss.hidden-mse.weight=1")))
        .contains("lacks hidden_03 in some shards; name them in the recipe's targets");
    assertNothingWritten();
  }

  @Test
  void rejectsMissingHardLabels() {
    assertThat(mistake(trainOf(cache, "student.layers=1", "loss.hard-label.weight=1")))
        .contains("has no labels; cache the corpus with corpus.label, or set the weight to 0");
    assertNothingWritten();
  }

  @Test
  void rejectsDirectoryThatIsNotCache() {
    assertThat(mistake(trainOf(Tiny.CLS, "student.layers=1", "loss.soft-label.weight=1")))
        .contains("is not a finished cache: it has no plan.json; run cache first");
    assertNothingWritten();
  }

  @Test
  void rejectsSweepWithoutStudents() {
    assertThat(mistake(sweep())).contains("sweep.over and sweep.students are empty");
    assertNothingWritten();
  }

  @Test
  void rejectsSweepWithMetricOfDifferentTask() {
    assertThat(mistake(sweep("sweep.over.train.seed=[1, 2]", "evaluate.metrics=[pearson]")))
        .contains("evaluate.metrics names [pearson], but a classification task has [accuracy, f1");
    assertNothingWritten();
  }

  @Test
  void rejectsMissingCacheOfFurtherTeacher() {
    Path nowhere = directory.resolve("nowhere");
    assertThat(
            mistake(
                trainOf(
                    cache,
                    "student.layers=1",
                    "loss.soft-label.weight=1",
                    format("loss.teachers=[{ name = b, cache = \"%s\" }]", nowhere))))
        .contains("does not exist: '" + nowhere);
    assertNothingWritten();
  }

  @Test
  void rejectsDirectoryAsHeadImportance() {
    assertThat(mistake(studentOf("student.pruned-heads=0.25", "student.head-importance=" + shared)))
        .contains("student.head-importance" + isADirectory());
    assertNothingWritten();
  }

  @Test
  void rejectsDirectoryAsWordVectorsOfStudent() {
    assertThat(mistake(studentOf("student.architecture=bilstm", "student.word-vectors=" + shared)))
        .contains("student.word-vectors" + isADirectory());
    assertNothingWritten();
  }

  private String[] trainOf(Path targets, String... more) {
    return TinyRecipe.empty()
        .cache(targets)
        .with("train.path=" + directory.resolve("students"))
        .with(more)
        .command("train");
  }

  private String[] studentOf(String... more) {
    return TinyRecipe.empty()
        .with("student.layers=1", "student.hidden-size=32", "loss.soft-label.weight=1")
        .cache(cache)
        .with("train.path=" + directory.resolve("students"))
        .with(more)
        .command("train");
  }

  private String[] sweep(String... more) {
    return TinyRecipe.empty()
        .cache(cache)
        .student(directory.resolve("students"))
        .with("loss.hidden-mse.weight=0")
        .with(more)
        .command("sweep");
  }
}
