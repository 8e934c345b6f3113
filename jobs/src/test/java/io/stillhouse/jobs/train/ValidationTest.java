package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class ValidationTest {
  @TempDir Path directory;

  @Test
  void validationLossEqualsTrainingLossOfFrozenWeights() throws IOException {
    cache(Tiny.CLS, "cache");

    TrainedStudent.Losses losses = train("cache").students().get(0).losses();

    Map<String, Double> validation = losses.validation();
    assertThat(validation)
        .containsOnlyKeys(
            "loss", "soft-label", "hard-label", "accuracy", "f1", "matthews", "agreement");
    assertThat(validation.get("soft-label"))
        .isCloseTo(losses.first().get("soft-label"), within(1e-5))
        .isPositive();
    assertThat(validation.get("hard-label"))
        .isCloseTo(losses.first().get("hard-label"), within(1e-5));
    assertThat(validation.get("loss"))
        .isCloseTo(3 * validation.get("soft-label") + validation.get("hard-label"), within(1e-9));
  }

  @Test
  void copyOfTeacherAgreesWithTeacher() throws IOException {
    cache(Tiny.CLS, "cache");

    Map<String, Double> validation =
        train(
                "cache",
                "student.layers=3",
                "student.hidden-size=0",
                "student.heads=0",
                "student.init=teacher")
            .students()
            .get(0)
            .losses()
            .validation();

    assertThat(validation).containsEntry("agreement", 1.0);
    assertThat(validation.get("accuracy")).isBetween(0.0, 0.999);
  }

  @Test
  void rejectsValidationRowsOfDifferentTeacher() throws IOException {
    cache(Tiny.CLS, "cache");
    cache(Tiny.REG, "other");

    assertThatThrownBy(() -> train("other"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("other' was created with a different teacher than cache")
        .hasMessageContaining("cache the validation rows with the same teacher.path");
  }

  @Test
  void requiresValidationLabelsOnlyIfUsed() throws IOException {
    cache(Tiny.CLS, "cache");
    cache(Tiny.CLS, "unlabelled", "corpus.label=");

    assertThatThrownBy(() -> train("unlabelled"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("unlabelled' has no labels, which are needed to measure the student");
    assertThatThrownBy(() -> train("unlabelled", "loss.hard-label.weight=0", "train.baseline=true"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("which are needed to measure the baseline");
    assertThat(directory.resolve("students")).doesNotExist();
    Map<String, Double> validation =
        train("unlabelled", "loss.hard-label.weight=0").students().get(0).losses().validation();
    assertThat(validation).containsKeys("soft-label", "agreement").doesNotContainKey("accuracy");
  }

  @Test
  void rejectsCacheOfDifferentRecipe() throws IOException {
    cache(Tiny.CLS, "cache");

    assertThatThrownBy(() -> train("cache", "corpus.max-length=32", "teacher.path=" + Tiny.REG))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("was built with corpus.max-length = 40, but this recipe has 32")
        .hasMessageContaining("was built with teacher.sha256 = ")
        .hasMessageContaining("correct the recipe, or name the cache that it built");
    assertThat(train("cache", "train.seed=7", "teacher.path=" + Tiny.CLS).students()).hasSize(1);
  }

  private void cache(Path teacher, String name, String... more) throws IOException {
    boolean classes = teacher.equals(Tiny.CLS);
    Path corpus =
        Tiny.labelled(
            directory.resolve(name + ".tsv"),
            64,
            classes ? "LABEL_2" : "1.5",
            classes ? "LABEL_0" : "0");
    new CacheJob(
            spark(),
            TinyRecipe.labelled(corpus)
                .teacher(teacher)
                .cache(directory.resolve(name))
                .shardTokens(256)
                .settings(more))
        .run();
  }

  /** One step over all rows, too small to change any weight. */
  private TrainJob.Result train(String validation, String... more) throws IOException {
    Settings settings =
        TinyRecipe.empty()
            .cache(directory.resolve("cache"))
            .student(directory.resolve("students"))
            .withoutBaseline()
            .with(
                "train.validation=" + directory.resolve(validation),
                "loss.soft-label.weight=3",
                "loss.hidden-mse.weight=0",
                "loss.hard-label.weight=1",
                "train.batch-size=64",
                "train.learning-rate=1e-12")
            .settings(more);
    return new TrainJob(spark(), settings).run();
  }

  private static SparkSession spark() {
    return Tiny.spark();
  }
}
