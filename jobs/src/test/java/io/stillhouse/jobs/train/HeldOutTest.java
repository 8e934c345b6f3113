package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.CacheJob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class HeldOutTest {
  @TempDir Path directory;

  @Test
  void theLossOverTheTrainingRowsIsThatOfItsStepsWhereTheWeightsStandStill() throws IOException {
    cache(Tiny.CLS, "cache");

    TrainTask.Losses losses = train("cache").students().get(0).losses();

    Map<String, Double> heldOut = losses.heldOut();
    assertThat(heldOut)
        .containsOnlyKeys(
            "loss", "soft-label", "hard-label", "accuracy", "f1", "matthews", "agreement");
    assertThat(heldOut.get("soft-label"))
        .isCloseTo(losses.first().get("soft-label"), within(1e-5))
        .isPositive();
    assertThat(heldOut.get("hard-label")).isCloseTo(losses.first().get("hard-label"), within(1e-5));
    assertThat(heldOut.get("loss"))
        .isCloseTo(3 * heldOut.get("soft-label") + heldOut.get("hard-label"), within(1e-9));
  }

  @Test
  void aStudentThatIsItsTeacherAgreesWithIt() throws IOException {
    cache(Tiny.CLS, "cache");

    Map<String, Double> heldOut =
        train(
                "cache",
                "student.layers=3",
                "student.hidden-size=0",
                "student.heads=0",
                "student.init=teacher")
            .students()
            .get(0)
            .losses()
            .heldOut();

    assertThat(heldOut).containsEntry("agreement", 1.0);
    assertThat(heldOut.get("accuracy")).isBetween(0.0, 0.999);
  }

  @Test
  void heldOutRowsOfAnotherTeacherAreRefused() throws IOException {
    cache(Tiny.CLS, "cache");
    cache(Tiny.REG, "other");

    assertThatThrownBy(() -> train("other"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("other' was made with another teacher than cache")
        .hasMessageContaining("cache the held-out rows with the same teacher.path");
  }

  @Test
  void heldOutRowsWithoutLabelsAreRefusedForWhomThatMatters() throws IOException {
    cache(Tiny.CLS, "cache");
    cache(Tiny.CLS, "unlabelled", "corpus.label=");

    assertThatThrownBy(() -> train("unlabelled"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("unlabelled' has no labels, by which the student is measured; cache");
    assertThatThrownBy(
            () -> train("unlabelled", "loss.hard-label.weight=0", "train.undistilled-twin=true"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("by which the undistilled twin is measured");
    assertThat(directory.resolve("students")).doesNotExist();
    Map<String, Double> heldOut =
        train("unlabelled", "loss.hard-label.weight=0").students().get(0).losses().heldOut();
    assertThat(heldOut).containsKeys("soft-label", "agreement").doesNotContainKey("accuracy");
  }

  @Test
  void aRecipeThatIsNotTheCachesIsRefusedByName() throws IOException {
    cache(Tiny.CLS, "cache");

    assertThatThrownBy(() -> train("cache", "corpus.max-length=32", "teacher.path=" + Tiny.REG))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("was built with corpus.max-length = 40, this recipe has 32")
        .hasMessageContaining("was built with teacher.sha256 = ")
        .hasMessageContaining("correct the recipe, or name the cache that it made");
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
            Tiny.settings(
                List.of(
                    "teacher.path=" + teacher,
                    "corpus.path=" + corpus,
                    "corpus.text=text",
                    "corpus.label=label",
                    "corpus.max-length=40",
                    "cache.path=" + directory.resolve(name),
                    "cache.unit-tokens=256"),
                more))
        .run();
  }

  /** One step of all rows, so small that it changes nothing. */
  private TrainJob.Result train(String heldOut, String... more) throws IOException {
    return new TrainJob(
            spark(),
            Tiny.settings(
                List.of(
                    "cache.path=" + directory.resolve("cache"),
                    "train.path=" + directory.resolve("students"),
                    "train.held-out=" + directory.resolve(heldOut),
                    "student.layers=1",
                    "student.dropout=0",
                    "student.hidden-size=16",
                    "student.heads=4",
                    "student.init=random",
                    "train.undistilled-twin=false",
                    "loss.soft-label.weight=3",
                    "loss.hard-label.weight=1",
                    "train.epochs=1",
                    "train.rows-per-step=64",
                    "train.learning-rate=1e-12",
                    "train.threads=1"),
                more))
        .run();
  }

  private static SparkSession spark() {
    return Tiny.spark();
  }
}
