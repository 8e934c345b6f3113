package io.stillhouse.jobs.train.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.train.LostAfter;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.sweep.SweepOutcome.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.io.FileUtils;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** 96 rows are 12 steps of 8 rows per epoch. */
@Tag("spark")
class SweepJobTest {
  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path cache;
  private static Path validation;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    cache = cache("cache", 96);
    validation = cache("validation", 40);
  }

  private static Path cache(String name, int rows) throws IOException {
    Path corpus = Tiny.labelled(shared.resolve(name + ".tsv"), rows, "LABEL_2", "LABEL_0");
    new CacheJob(
            spark,
            TinyRecipe.labelled(corpus)
                .cache(shared.resolve(name))
                .shardTokens(512)
                .settings("targets.hidden=[0,1,2,3]", "targets.attention=[3]"))
        .run();
    return shared.resolve(name);
  }

  @Test
  void studentsOfSharedTaskEqualThoseOfTrain() throws IOException {
    SweepJob.Result result =
        sweep(
            "together",
            "sweep.over.student.layers=[1,3]",
            "sweep.over.loss.soft-label.temperature=[1,4]",
            "sweep.over.loss.attention-mse.weight=[0,1]",
            "sweep.students-per-task=3");

    assertThat(result.students()).hasSize(8).allMatch(row -> row.status() == Status.TRAINED);
    assertThat(result.exitCode()).isZero();
    for (SweepJob.Row row : result.students()) {
      List<String> own = new ArrayList<>(List.of("student.name=" + row.name()));
      row.values().forEach((key, value) -> own.add(key + "=" + value));
      own.add("train.baseline=false");
      new TrainJob(spark, settings("alone", own.toArray(String[]::new))).run();
      assertThat(weights("together", row.name()))
          .as(row.name())
          .isEqualTo(weights("alone", row.name()));
      assertThat(directory.resolve("together/_checkpoints").resolve(row.name())).doesNotExist();
    }
    assertThat(result.students().get(0).name()).isEqualTo("layers-1_temperature-1_attention-mse-0");
    assertThat(result.table().lines().findFirst().orElseThrow().split(" +"))
        .startsWith("student", "layers", "temperature", "attention-mse", "parameters", "steps")
        .contains("soft-label", "hidden-mse", "tokens/s");
    assertThat(result.table().lines()).hasSize(9);
    JsonObject record = json(directory.resolve("together/sweep.json"));
    assertThat(record.getAsJsonObject("result").getAsJsonArray("students")).hasSize(8);
    assertThat(record.getAsJsonObject("recipe").get("sweep.over").getAsString())
        .contains("student.layers");
  }

  @Test
  void doesNotRetrainFinishedStudents() throws IOException {
    sweep("students", "sweep.over.student.layers=[1]");
    Map<String, Long> before = written("students/layers-1");

    SweepJob.Result more = sweep("students", "sweep.over.student.layers=[1,3]");

    assertThat(more.students()).extracting(SweepJob.Row::status).containsOnly(Status.TRAINED);
    assertThat(more.students().get(0).training().steps()).isEqualTo(12);
    assertThat(written("students/layers-1")).isEqualTo(before);
  }

  @Test
  void failedStudentDoesNotAffectOthers() throws IOException {
    SweepJob.Result result =
        sweep(
            "students",
            "sweep.over.train.learning-rate=[1e-3,1e30]",
            "sweep.over.student.layers=[1,3]",
            "sweep.students-per-task=4");

    assertThat(result.failures())
        .extracting(SweepJob.Row::name)
        .containsExactly("layers-1_learning-rate-1e30", "layers-3_learning-rate-1e30");
    assertThat(result.failures())
        .allSatisfy(
            row -> {
              assertThat(row.problem()).contains("steps in a row").contains("were not finite");
              assertThat(row.mistake()).isTrue();
              assertThat(row.training().steps()).isLessThan(12);
            });
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.table()).containsPattern("layers-1_learning-rate-1e30 .* failed");
    assertThat(directory.resolve("students/layers-1_learning-rate-1e-3")).exists();
    assertThat(directory.resolve("students/layers-3_learning-rate-1e-3")).exists();
    assertThat(directory.resolve("students/layers-1_learning-rate-1e30")).doesNotExist();
  }

  @Test
  void unexpectedFailureExitsWithOne() throws IOException {
    Files.createDirectories(directory.resolve("students"));
    // A file blocks the directory of one student's checkpoints.
    Files.createDirectories(directory.resolve("students/_checkpoints"));
    Files.writeString(directory.resolve("students/_checkpoints/layers-3"), "in the way");

    SweepJob.Result result =
        sweep("students", "sweep.over.student.layers=[1,3]", "train.checkpoint-every=5");

    assertThat(result.students())
        .extracting(SweepJob.Row::status)
        .containsExactly(Status.TRAINED, Status.FAILED);
    assertThat(result.exitCode()).isEqualTo(1);
  }

  @Test
  void reportsEveryProblemOfEveryStudentBeforeTraining() {
    assertThatThrownBy(
            () ->
                sweep(
                    "students",
                    "sweep.over.student.layers=[1,2,7]",
                    "sweep.over.student.hidden-size=[16,18]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("3 problems:")
        .hasMessageContaining(
            "layers-1_hidden-size-18, layers-2_hidden-size-18, layers-7_hidden-size-18:"
                + " student.hidden-size (18) must be a multiple of student.heads (4)")
        .hasMessageContaining(
            "layers-2_hidden-size-16: a uniform layer map needs teacher layers (3)")
        .hasMessageContaining("layers-7_hidden-size-16: student layers (7) must be from 1 to 3");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void rejectsSweepWithoutStudents() {
    assertThatThrownBy(() -> sweep("students"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "sweep.over and sweep.students are empty; set what differs, such as "
                + "sweep.over.student.layers='[2, 4]'");
  }

  @Test
  void rejectsMetricOfDifferentTask() {
    assertThatThrownBy(
            () ->
                sweep("students", "sweep.over.student.layers=[1,3]", "evaluate.metrics=[pearson]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "evaluate.metrics names [pearson], but a classification task has [accuracy, f1,"
                + " matthews]; choose from these");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void trainsBaselinesOnlyOnRequest() throws IOException {
    SweepJob.Result result =
        sweep("students", "sweep.students=[{name=a,student.layers=1}]", "train.baseline=true");

    assertThat(result.students()).extracting(SweepJob.Row::name).containsExactly("a", "a-baseline");
  }

  @Test
  void trainsStudentsWithRoundsBesideOthers() throws IOException {
    String[] rounds = {"train.round-steps=3", "train.round-warmup=1"};
    String[] swept = {"sweep.over.train.workers=[1,2]", rounds[0], rounds[1]};
    SweepJob.Result result = sweep("students", swept);
    new TrainJob(
            spark,
            settings(
                "alone",
                "student.name=workers-2",
                "student.layers=1",
                "train.workers=2",
                "train.baseline=false",
                rounds[0],
                rounds[1]))
        .run();

    assertThat(result.students()).allMatch(row -> row.status() == Status.TRAINED);
    assertThat(weights("students", "workers-2")).isEqualTo(weights("alone", "workers-2"));
    assertThat(directory.resolve("students/workers-1/rounds.jsonl")).doesNotExist();
  }

  @Test
  void halvingDoesNotChangeWeightsOfWinner() throws IOException {
    String[] recipe = {
      "sweep.over.train.learning-rate=[1e-2,1e-5,1e-6,3e-3,1e30]",
      "sweep.students-per-task=3",
      "train.epochs=2",
      "train.validation=" + validation
    };
    String[] halved = withHalving(recipe);
    SweepJob.Result result = sweep("halved", halved);

    assertThat(status(result))
        .containsEntry("learning-rate-1e-5", Status.STOPPED)
        .containsEntry("learning-rate-1e-6", Status.STOPPED)
        .containsEntry("learning-rate-1e30", Status.FAILED);
    List<String> trained = named(result, Status.TRAINED);
    assertThat(trained).hasSize(1);
    assertThat(steps(result, "learning-rate-1e-5")).isEqualTo(9);
    JsonObject first = json(directory.resolve("halved/_sweep/halving-000000009.json"));
    assertThat(first.getAsJsonArray("goingOn")).hasSize(2);
    List<Double> measured =
        first.getAsJsonObject("measured").entrySet().stream()
            .map(entry -> entry.getValue().getAsDouble())
            .toList();
    assertThat(measured).hasSize(4).isSortedAccordingTo(Comparator.naturalOrder());
    sweep("whole", recipe);
    assertThat(weights("halved", trained.get(0))).isEqualTo(weights("whole", trained.get(0)));

    assertThat(status(sweep("halved", halved))).isEqualTo(status(result));
  }

  @Test
  void restartFollowsEarlierDecisions() throws IOException {
    String[] recipe =
        withHalving(
            "sweep.over.train.learning-rate=[1e-2,1e-5,1e-6,3e-3]",
            "train.epochs=2",
            "train.validation=" + validation);
    SweepJob.Result result = sweep("halved", recipe);
    String winner = named(result, Status.TRAINED).get(0);
    byte[] weights = weights("halved", winner);
    // As if the driver had been lost after the first decision: the second is made again.
    FileUtils.deleteDirectory(directory.resolve("halved").resolve(winner).toFile());
    Files.delete(directory.resolve("halved/_sweep/halving-000000015.json"));
    FileUtils.deleteDirectory(directory.resolve("halved/_checkpoints").resolve(winner).toFile());

    SweepJob.Result again = sweep("halved", recipe);

    assertThat(status(again)).isEqualTo(status(result));
    assertThat(weights("halved", winner)).isEqualTo(weights);
    assertThatThrownBy(() -> sweep("halved", join(recipe, "sweep.halving.keep=0.25")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("decided by a different rule")
        .hasMessageContaining("set another train.path, or delete");
  }

  @Test
  void restartedDriverMakesSameDecisions() throws IOException {
    String[] recipe =
        withHalving(
            "sweep.over.train.learning-rate=[1e-2,1e-5,3e-3]",
            "train.epochs=2",
            "train.checkpoint-every=4",
            "train.validation=" + validation);
    Map<String, Status> undisturbed = status(sweep("whole", recipe));

    try (LostAfter lost = new LostAfter(spark, 2)) { // in the midst of the first three groups
      assertThatThrownBy(() -> sweep("lost", recipe)).hasStackTraceContaining("cancelled");
    }
    assertThat(directory.resolve("lost/_sweep")).doesNotExist();
    SweepJob.Result result = sweep("lost", recipe);

    assertThat(status(result)).isEqualTo(undisturbed);
    String winner = named(result, Status.TRAINED).get(0);
    assertThat(weights("lost", winner)).isEqualTo(weights("whole", winner));
  }

  @Test
  void reportsMissingSettingsOfHalving() {
    assertThatThrownBy(
            () ->
                sweep(
                    "students",
                    "sweep.over.train.workers=[1,2]",
                    "sweep.halving.at=[6]",
                    "sweep.halving.by=hidden-cosine",
                    "train.baseline=true"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("train.validation is empty, but sweep.halving.at is [6]")
        .hasMessageContaining("baselines do not compete with their students")
        .hasMessageContaining(
            "sweep.halving.by is hidden-cosine, but loss.hidden-cosine.weight is 0")
        .hasMessageContaining("trained in rounds cannot be paused");
  }

  private static String[] withHalving(String... recipe) {
    return join(
        recipe, "sweep.halving.at=[9,15]", "sweep.halving.keep=0.5", "sweep.halving.by=soft-label");
  }

  private static String[] join(String[] some, String... more) {
    List<String> all = new ArrayList<>(List.of(some));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  @Test
  void partsOfSweepEqualWholeSweep() throws IOException {
    String over = "sweep.over.student.layers=[1,3]";
    sweep("whole", over);
    for (String name : List.of("layers-1", "layers-3")) {
      assertThat(sweep("parts", over, "sweep.only=" + name).students()).hasSize(1);
      assertThat(weights("parts", name)).isEqualTo(weights("whole", name));
    }
    assertThat(directory.resolve("parts/sweep.json")).doesNotExist();

    assertThat(sweep("parts", over).students()).allMatch(row -> row.status() == Status.TRAINED);
    assertThat(directory.resolve("parts/sweep.json")).exists();
  }

  @Test
  void rejectsHalvingOfSomeStudents() {
    assertThatThrownBy(
            () ->
                sweep(
                    "few",
                    "sweep.over.student.layers=[1,3]",
                    "sweep.only=layers-1",
                    "sweep.halving.at=[1]",
                    "sweep.halving.by=loss"))
        .hasMessageContaining(
            "sweep.only is [layers-1], but sweep.halving.at is [1], and halving compares all"
                + " students; remove one of them");
  }

  private SweepJob.Result sweep(String students, String... more) throws IOException {
    return new SweepJob(spark, settings(students, more)).run();
  }

  private Settings settings(String students, String... more) {
    return TinyRecipe.empty().cache(cache).student(directory.resolve(students)).settings(more);
  }

  private static Map<String, Status> status(SweepJob.Result result) {
    Map<String, Status> status = new TreeMap<>();
    result.students().forEach(row -> status.put(row.name(), row.status()));
    return status;
  }

  private static List<String> named(SweepJob.Result result, Status status) {
    return result.students().stream()
        .filter(row -> row.status() == status)
        .map(SweepJob.Row::name)
        .toList();
  }

  private static long steps(SweepJob.Result result, String name) {
    return result.students().stream()
        .filter(row -> row.name().equals(name))
        .findFirst()
        .orElseThrow()
        .training()
        .steps();
  }

  private byte[] weights(String students, String name) throws IOException {
    return Files.readAllBytes(
        directory.resolve(students).resolve(name).resolve("model.safetensors"));
  }

  private Map<String, Long> written(String student) throws IOException {
    Map<String, Long> written = new TreeMap<>();
    try (var files = Files.walk(directory.resolve(student))) {
      for (Path file : files.toList()) {
        written.put(file.toString(), Files.getLastModifiedTime(file).toMillis());
      }
    }
    return written;
  }

  private static JsonObject json(Path file) throws IOException {
    return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
  }
}
