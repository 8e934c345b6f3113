package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains and evaluates a masked LM, whose soft labels are derived from hidden states. */
@Tag("spark")
class MaskedLmTrainTest {
  @TempDir private static Path directory;

  private static TrainJob.Result trained;
  private static Evaluation evaluation;

  @BeforeAll
  static void trainsAndEvaluatesOnce() throws IOException {
    SparkSession spark = Tiny.spark();
    Settings settings =
        TinyRecipe.text(Tiny.lines(directory.resolve("lines.txt"), 64))
            .cache(directory.resolve("cache"))
            .shardTokens(512)
            .settings(
                "train.path=" + directory.resolve("students"),
                "evaluate.output=" + directory.resolve("evaluation.json"),
                "student.name=distilled",
                "student.layers=1",
                "student.dropout=0",
                "loss.soft-label.weight=5",
                "loss.soft-label.positions=masked",
                "loss.hard-label.weight=2",
                "loss.hidden-cosine.weight=1",
                "train.epochs=6",
                "train.batch-size=8",
                "train.learning-rate=3e-3",
                "train.threads=1");
    new CacheJob(spark, settings).run();
    trained = new TrainJob(spark, settings).run();
    evaluation = new EvaluateJob(spark, settings).run();
  }

  @Test
  void trainsStudentAndBaseline() {
    assertThat(trained.students())
        .extracting(TrainedStudent::name)
        .containsExactly("distilled", "baseline");
  }

  @Test
  void everyTermDecreases() {
    TrainedStudent.Losses losses = trained.students().get(0).losses();

    assertThat(losses.first()).containsOnlyKeys("soft-label", "hard-label", "hidden-cosine");
    losses
        .first()
        .forEach((term, before) -> assertThat(losses.last().get(term)).as(term).isLessThan(before));
  }

  @Test
  void writesEvaluationOfEveryModel() throws IOException {
    JsonObject written =
        JsonParser.parseString(Files.readString(directory.resolve("evaluation.json")))
            .getAsJsonObject();

    JsonArray models = written.getAsJsonArray("models");
    assertThat(models).hasSize(3);
    for (int m = 0; m < 3; m++) {
      JsonObject model = models.get(m).getAsJsonObject();
      assertThat(model.get("name").getAsString())
          .isEqualTo(List.of("teacher", "baseline", "distilled").get(m));
      assertThat(model.get("parameters").getAsLong()).isPositive();
      assertThat(model.getAsJsonObject("metrics").keySet())
          .contains("agreement", "accuracy", "perplexity");
    }
  }

  @Test
  void distilledStudentAgreesMoreThanBaseline() {
    assertThat(agreement("teacher")).isEqualTo(1.0);
    assertThat(agreement("distilled")).isBetween(0.0, 0.9999).isGreaterThan(agreement("baseline"));
  }

  @Test
  void comparesAgreementAndAccuracy() {
    assertThat(evaluation.comparisons())
        .extracting(Evaluation.Comparison::metric)
        .containsExactly("agreement", "accuracy");
  }

  private static double agreement(String model) {
    return evaluation.models().stream()
        .filter(each -> each.name().equals(model))
        .findFirst()
        .orElseThrow()
        .metrics()
        .get("agreement");
  }
}
