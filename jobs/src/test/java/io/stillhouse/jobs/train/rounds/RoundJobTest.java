package io.stillhouse.jobs.train.rounds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.LostAfter;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.recipe.Stage;
import io.stillhouse.jobs.train.recipe.StudentRuns;
import io.stillhouse.jobs.train.recipe.TrainingCache;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
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

/**
 * 96 rows are 12 steps of 8 an epoch; two epochs are four rounds of two workers with three steps.
 */
@Tag("spark")
class RoundJobTest {
  private static final int STEPS = 24;

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path cache;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    cache = shared.resolve("cache");
    Path corpus = Tiny.labelled(shared.resolve("rows.tsv"), 96, "LABEL_2", "LABEL_0");
    new CacheJob(
            spark,
            TinyRecipe.labelled(corpus).cache(cache).shardTokens(512).tinyBertTargets().settings())
        .run();
  }

  @Test
  void workersTrainStudentAndBaseline() throws IOException {
    TrainJob.Result result = train("whole", "train.baseline=true");

    assertThat(result.students()).extracting(TrainedStudent::steps).containsExactly(24L, 24L);
    Path student = directory.resolve("whole/small");
    List<String> metrics = Files.readAllLines(student.resolve("metrics.jsonl"));
    assertThat(metrics)
        .extracting(line -> json(line).get("step").getAsInt())
        .isEqualTo(java.util.stream.IntStream.rangeClosed(1, STEPS).boxed().toList());
    List<String> rounds = Files.readAllLines(student.resolve("rounds.jsonl"));
    assertThat(rounds).hasSize(4);
    JsonObject last = json(rounds.get(3));
    assertThat(last.get("round").getAsInt()).isEqualTo(3);
    assertThat(last.get("leftOut").getAsJsonArray()).isEmpty();
    assertThat(last.get("tokens").getAsLong()).isPositive();
    assertThat(last.get("seconds").getAsDouble())
        .isGreaterThan(last.get("computeSeconds").getAsDouble());
    TrainedStudent.Losses losses = result.students().get(0).losses();
    losses
        .first()
        .forEach((term, before) -> assertThat(losses.last().get(term)).as(term).isLessThan(before));
    assertThat(directory.resolve("whole/_checkpoints/small")).doesNotExist();
    assertThat(train("whole", "train.baseline=true").alreadyTrained())
        .containsExactly("small", "small-baseline");
  }

  @Test
  void restartedDriverResumesToSameBits() throws IOException {
    for (String moments : List.of("reset", "kept")) {
      String[] recipe = {"train.moments=" + moments, "student.dropout=0.1"};
      train("whole-" + moments, recipe);

      try (LostAfter lost = new LostAfter(spark, 3)) { // the first job writes the first checkpoint
        assertThatThrownBy(() -> train("lost-" + moments, recipe))
            .hasStackTraceContaining("cancel");
      }
      Path checkpoints = directory.resolve("lost-" + moments + "/_checkpoints/small");
      assertThat(checkpoints.resolve("step-000000006.safetensors")).exists();
      assertThat(checkpoints.resolve("step-000000018.safetensors")).doesNotExist();
      if (moments.equals("kept")) {
        Path kept = checkpoints.resolve("moments/round-000001-worker-001.safetensors");
        assertThat(SafeTensors.open(kept).metadata()).containsEntry("steps", "6");
      }
      train("lost-" + moments, recipe);

      assertThat(weights("lost-" + moments)).isEqualTo(weights("whole-" + moments));
    }
    assertThat(weights("whole-kept")).isNotEqualTo(weights("whole-reset"));
  }

  /** With rate 1 and no momentum, the outer step takes the worker's weights. */
  @Test
  void oneWorkerWithKeptMomentsEqualsAdamW() throws IOException {
    String[] one = {"train.workers=1", "student.dropout=0.1"};
    train("plain", one);
    train(
        "rounds",
        "train.workers=1",
        "student.dropout=0.1",
        "train.lookahead=true",
        "train.moments=kept",
        "train.outer-learning-rate=1",
        "train.outer-momentum=0");
    train("lookahead", "train.workers=1", "student.dropout=0.1", "train.lookahead=true");

    requireClose("rounds", "plain");
    assertThat(weights("lookahead")).isNotEqualTo(weights("plain"));
    assertThat(directory.resolve("plain/small/rounds.jsonl")).doesNotExist();
  }

  @Test
  void trainsWithDifferencesInFloat16() throws IOException {
    train("whole");
    train("halves", "train.delta-dtype=float16");

    assertThat(weights("halves")).isNotEqualTo(weights("whole"));
    requireClose("halves", "whole");
  }

  @Test
  void stopsAfterRoundsWithoutFiniteDifferences() {
    // Steps of a million overflow float16.
    assertThatThrownBy(
            () -> train("broken", "train.delta-dtype=float16", "train.learning-rate=1e6"))
        .hasStackTraceContaining(
            "in 3 consecutive rounds, up to round 3, the differences of some workers of 'small' "
                + "were not finite (last: workers [0, 1]); lower train.learning-rate (1000000.0) "
                + "or train.outer-learning-rate (0.7), or set train.max-grad-norm");
    assertThat(directory.resolve("broken/small")).doesNotExist();
  }

  /** Repeats a task as if its executor had been lost before it reported its result. */
  @Test
  void retriedTaskReturnsPublishedStudent() throws IOException {
    TrainedStudent trained = train("whole").students().get(0);
    Settings settings = settings("whole");
    Path left = Files.createDirectories(directory.resolve("whole/_checkpoints/small"));
    Storage storage = Storage.ofThisProcess();
    StudentRun run =
        new StudentRuns(storage, TrainingCache.open(storage, settings))
            .of(settings, false, Stage.only(settings))
            .runs()
            .get(0);

    TrainedStudent again =
        new TrainTask(
                run,
                step -> {
                  throw new AssertionError("trained again");
                })
            .train();

    assertThat(again).usingRecursiveComparison().isEqualTo(trained);
    assertThat(left).doesNotExist();
  }

  @Test
  void rejectsCheckpointsWithoutHistory() throws IOException {
    try (LostAfter lost = new LostAfter(spark, 3)) {
      assertThatThrownBy(() -> train("lost")).hasStackTraceContaining("cancel");
    }
    Path checkpoints = directory.resolve("lost/_checkpoints/small");
    Files.delete(checkpoints.resolve("history/step-000000006.json"));

    assertThatThrownBy(() -> train("lost"))
        .hasStackTraceContaining("/lost/_checkpoints/small' end at step")
        .hasStackTraceContaining("delete that directory");
  }

  private TrainJob.Result train(String students, String... more) throws IOException {
    return new TrainJob(spark, settings(students, more)).run();
  }

  private Settings settings(String students, String... more) {
    return TinyRecipe.empty()
        .cache(cache)
        .student(directory.resolve(students))
        .withoutBaseline()
        .with(
            "student.name=small",
            "loss.attention-mse.weight=1",
            "train.epochs=2",
            "train.workers=2",
            "train.round-steps=3",
            "train.round-warmup=1")
        .settings(more);
  }

  private byte[] weights(String students) throws IOException {
    return Files.readAllBytes(directory.resolve(students).resolve("small/model.safetensors"));
  }

  private void requireClose(String students, String others) throws IOException {
    SafeTensors one =
        SafeTensors.open(directory.resolve(students).resolve("small/model.safetensors"));
    SafeTensors two =
        SafeTensors.open(directory.resolve(others).resolve("small/model.safetensors"));
    try (NDManager manager = NDManager.newBaseManager()) {
      for (String name : one.names()) {
        NDArray expected = two.read(name, manager);
        NDArray actual = one.read(name, manager);
        double difference = actual.sub(expected).norm().getFloat();
        double size = Math.max(1e-2, expected.norm().getFloat());
        assertThat(difference / size).as(name).isCloseTo(0, within(2e-3));
      }
    }
  }

  private static JsonObject json(String text) {
    return JsonParser.parseString(text).getAsJsonObject();
  }
}
