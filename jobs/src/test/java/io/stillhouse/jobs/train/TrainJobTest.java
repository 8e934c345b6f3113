package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.build.Tampering;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.TargetRecipe;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Trains on a labelled corpus with TinyBERT's terms. */
@Tag("spark")
class TrainJobTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static Path cache;
  private static Path students;
  private static TrainJob.Result trained;

  @BeforeAll
  static void cachesAndTrainsOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 96, "LABEL_2", "LABEL_0");
    cache = shared.resolve("cache");
    new CacheJob(
            spark,
            TinyRecipe.labelled(corpus)
                .cache(cache)
                .shardTokens(512)
                .tinyBertTargets()
                .settings("targets.scores=stored"))
        .run();
    students = shared.resolve("students");
    trained = new TrainJob(spark, settings(students)).run();
  }

  @Test
  void trainsStudentAndBaseline() {
    assertThat(trained.students())
        .extracting(TrainedStudent::name)
        .containsExactly("small", "small-baseline");
  }

  @Test
  void everyTermDecreases() {
    TrainedStudent.Losses losses = trained.students().get(0).losses();
    assertThat(losses.first())
        .containsOnlyKeys(
            "soft-label", "hard-label", "hidden-mse", "embedding-mse", "attention-mse");
    losses
        .first()
        .forEach((term, before) -> assertThat(losses.last().get(term)).as(term).isLessThan(before));
  }

  @Test
  void baselineLearnsHardLabelsOnly() {
    assertThat(trained.students().get(1).losses().first()).containsOnlyKeys("hard-label");
  }

  @ParameterizedTest
  @ValueSource(strings = {"small", "small-baseline"})
  void studentHasShapeOfRecipeAndLabelsOfTeacher(String name) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(students.resolve(name)).spec();

    assertThat(spec.layers()).isEqualTo(1);
    assertThat(spec.hiddenSize()).isEqualTo(16);
    assertThat(spec.head().labels()).containsExactly("LABEL_0", "LABEL_1", "LABEL_2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"small", "small-baseline"})
  void metricsFileHasEveryStep(String name) throws IOException {
    List<String> lines = Files.readAllLines(students.resolve(name).resolve("metrics.jsonl"));

    assertThat(lines).hasSize(72);
    assertThat(json(lines.get(71)).get("step").getAsInt()).isEqualTo(72);
    assertThat(json(lines.get(0)).get("loss").getAsDouble()).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"small", "small-baseline"})
  void trainingFileDescribesStudent(String name) throws IOException {
    Path student = students.resolve(name);
    JsonObject record = json(Files.readString(student.resolve("training.json")));

    assertThat(record.get("name").getAsString()).isEqualTo(name);
    assertThat(record.getAsJsonObject("training").get("steps").getAsInt()).isEqualTo(72);
    assertThat(record.getAsJsonObject("model").get("parameters").getAsLong())
        .isEqualTo(HuggingFaceDirectory.open(student).spec().parameterCount());
  }

  @Test
  void deletesCheckpointsOfFinishedStudents() {
    assertThat(students.resolve("_checkpoints/small")).doesNotExist();
  }

  @Test
  void doesNotRetrainFinishedStudents() throws IOException {
    TrainJob.Result again = train("train.path=" + students);

    assertThat(again.students()).isEmpty();
    assertThat(again.alreadyTrained()).containsExactly("small", "small-baseline");
  }

  @ParameterizedTest
  @ValueSource(strings = {"train.learning-rate=2e-2", "train.precision=bfloat16"})
  void rejectsDirectoryOfDifferentRecipe(String other) {
    assertThatThrownBy(() -> train("train.path=" + students, other))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("students/small' contains a student of another recipe or cache")
        .hasMessageContaining("choose another student.name");
  }

  @Test
  void liveMetricsAgreeWithMetricsFile() throws IOException {
    train("train.max-steps=4");
    for (String name : List.of("small", "small-baseline")) {
      Path metrics = directory.resolve("students/_metrics").resolve(name);
      List<String> lines = Files.readAllLines(metrics.resolve("steps.jsonl"));
      JsonObject last = json(lines.get(lines.size() - 1));
      assertThat(last.get("step").getAsInt()).isEqualTo(4);
      List<String> complete =
          Files.readAllLines(directory.resolve("students").resolve(name).resolve("metrics.jsonl"));
      assertThat(last.get("loss")).isEqualTo(json(complete.get(3)).get("loss"));
      assertThat(Tiny.files(metrics).keySet())
          .filteredOn(file -> file.startsWith("events.out.tfevents."))
          .hasSize(1);
    }
  }

  @Test
  void trainsEvenIfMetricsCannotBeWritten() throws IOException {
    Path taken = Files.writeString(directory.resolve("taken"), "a file, not a directory");
    TrainJob.Result result = train("train.max-steps=4", "train.metrics=" + taken);
    assertThat(result.students()).extracting(TrainedStudent::steps).containsExactly(4L, 4L);
    assertThat(taken).hasContent("a file, not a directory");
  }

  @Test
  void killedRunResumesToSameBits() throws IOException {
    String[] recipe = {
      "student.dropout=0.1",
      "student.hidden-size=0",
      "student.init=teacher",
      "loss.hidden-cosine.weight=1",
      "train.max-steps=12",
      "train.checkpoint-every=5",
      "train.baseline=false"
    };
    train(recipe);
    Map<String, byte[]> whole = Tiny.files(directory.resolve("students/small"));

    Path killed = directory.resolve("killed");
    Settings settings = settings("train.path=" + killed, recipe);
    trainAndKill(settings, 8);
    assertThat(killed.resolve("_checkpoints/small/step-000000005.safetensors")).exists();
    assertThat(killed.resolve("small")).doesNotExist();

    List<Long> resumed = new ArrayList<>();
    new TrainTask(run(settings), step -> resumed.add(step.step())).train();
    assertThat(resumed).containsExactly(6L, 7L, 8L, 9L, 10L, 11L, 12L);
    Path student = killed.resolve("small");
    assertThat(Files.readAllLines(student.resolve("metrics.jsonl"))).hasSize(12);
    assertThat(new TrainJob(spark, settings).run().alreadyTrained()).containsExactly("small");
    assertThat(Files.readAllBytes(student.resolve("model.safetensors")))
        .isEqualTo(whole.get("model.safetensors"));
    assertThat(killed.resolve("_checkpoints/small")).doesNotExist();
  }

  @Test
  void rejectsCheckpointOfDifferentRecipe() throws IOException {
    Settings settings = settings("train.checkpoint-every=2", "train.baseline=false");
    trainAndKill(settings, 3);

    assertThatThrownBy(() -> train("train.baseline=false", "train.seed=43"))
        .hasStackTraceContaining("/students/_checkpoints/small' belongs to another recipe or cache")
        .hasStackTraceContaining("choose another student name, or delete that directory");
    assertThat(directory.resolve("students/small")).doesNotExist();
  }

  @Test
  void reportsMissingColumns() {
    assertThatThrownBy(() -> train("student.layers=3"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("lacks hidden_01, hidden_02 in some shards")
        .hasMessageContaining("name them in the recipe's targets");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void doesNotReadTeacherWeights() throws IOException {
    Path copy = Tiny.copy(cache, directory.resolve("cache"));
    Path weights = copy.resolve("teacher/model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    // Every number of the teacher becomes NaN; names and shapes stay.
    int header =
        8 + java.nio.ByteBuffer.wrap(bytes).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt();
    java.util.Arrays.fill(bytes, header, bytes.length, (byte) 0xff);
    Files.deleteIfExists(copy.resolve("teacher/.model.safetensors.crc"));
    Files.write(weights, bytes);
    Tampering.acceptTeacher(copy);
    TrainJob.Result result =
        train("cache.path=" + copy, "train.max-steps=3", "train.baseline=false");
    result
        .students()
        .get(0)
        .losses()
        .last()
        .forEach((term, value) -> assertThat(value).as(term).isFinite());
  }

  @Test
  void studentStartsFromNamedBlocks() throws IOException {
    // One step with a learning rate too small to change any weight.
    train(
        "student.hidden-size=0",
        "student.init=teacher",
        "student.init-layers=[2]",
        "train.max-steps=1",
        "train.learning-rate=1e-30",
        "train.weight-decay=0",
        "train.baseline=false");
    try (NDManager manager = NDManager.newBaseManager()) {
      String block = "bert.encoder.layer.%d.attention.self.query.weight";
      float[] student =
          HuggingFaceDirectory.open(directory.resolve("students/small"))
              .weights(manager, List.of(format(block, 0)))
              .get(format(block, 0))
              .toFloatArray();
      float[] teacher =
          HuggingFaceDirectory.open(Tiny.CLS)
              .weights(manager, List.of(format(block, 1)))
              .get(format(block, 1))
              .toFloatArray();
      assertThat(student).isEqualTo(teacher);
    }
  }

  @Test
  void rejectsStartWithDifferentHeads() {
    String[] alone = {
      "student.hidden-size=0",
      "student.init=teacher",
      "student.heads=2",
      "loss.attention-mse.weight=0"
    };
    assertThatThrownBy(() -> train(alone))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "student.init is teacher, which has 4 attention heads, but the student has 2")
        .hasMessageContaining("set student.heads=4, or student.init=random");
  }

  @Test
  void rejectsStartWithDifferentActivation() throws IOException {
    Path other = Tiny.otherWeights(directory.resolve("other"));
    String config = Files.readString(other.resolve("config.json"));
    Files.writeString(other.resolve("config.json"), config.replace("\"gelu\"", "\"relu\""));

    assertThatThrownBy(
            () -> train("student.hidden-size=0", "student.heads=0", "student.init=" + other))
        .hasMessageContaining("other' has hidden_act relu, but the student has that of the teacher")
        .hasMessageContaining("start from a model with the same activation");
  }

  @Test
  void rejectsStartWithDifferentTokenizer() throws IOException {
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(Tiny.CLS, swapped);

    assertThatThrownBy(
            () -> train("student.hidden-size=0", "student.heads=0", "student.init=" + swapped))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(format("student.init '%s' has a different tokenizer", swapped))
        .hasMessageContaining(difference);
  }

  @Test
  void evaluateRejectsModelWithDifferentTokenizer() throws IOException {
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(Tiny.CLS, swapped);

    Settings settings =
        settings("teacher.path=" + Tiny.CLS, "evaluate.models=" + swapped, "corpus.max-length=40");
    assertThatThrownBy(() -> new EvaluateJob(spark, settings))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("swapped' has a different tokenizer than the teacher (" + difference);
  }

  private static void trainAndKill(Settings settings, long step) {
    Consumer<StepReport> killer =
        report -> {
          if (report.step() == step) {
            throw new IllegalStateException("killed");
          }
        };
    assertThatThrownBy(() -> new TrainTask(run(settings), killer).train()).hasMessage("killed");
  }

  private TrainJob.Result train(String... more) throws IOException {
    return new TrainJob(spark, settings(more)).run();
  }

  private Settings settings(String first, String... more) {
    String[] all = java.util.Arrays.copyOf(more, more.length + 1);
    all[more.length] = first;
    return settings(all);
  }

  private Settings settings(String[] more) {
    return settings(directory.resolve("students"), more);
  }

  /** Returns a recipe with TinyBERT's terms and hard labels. */
  private static Settings settings(Path to, String... more) {
    return TinyRecipe.empty()
        .cache(cache)
        .student(to)
        .tinyBertLosses()
        .with(
            "student.name=small",
            "loss.hard-label.weight=1",
            "train.epochs=6",
            "train.learning-rate=1e-2")
        .settings(more);
  }

  /** Returns the run that {@link TrainJob} creates for these settings. */
  private static StudentRun run(Settings settings) throws IOException {
    org.apache.hadoop.fs.Path targets = STORAGE.qualify(cache.toString());
    EncoderSpec teacher = HuggingFaceDirectory.open(cache.resolve(TeacherFolder.NAME)).spec();
    EncoderSpec student = Recipe.encoder(settings, teacher);
    boolean random = settings.get(Options.STUDENT_INIT).equals("random");
    return new StudentRun(
        settings.get(Options.STUDENT_NAME),
        student,
        LossRecipe.loss(settings, student, teacher),
        Recipe.train(settings, 1),
        random
            ? new StudentRun.Start(null, List.of())
            : new StudentRun.Start(
                new org.apache.hadoop.fs.Path(targets, TeacherFolder.NAME).toString(),
                Recipe.initLayers(settings, student, teacher)),
        new StudentRun.Paths(
            targets.toString(),
            "",
            new StudentRun.TargetStorage(
                TargetRecipe.mlm(settings, teacher), StudentRun.Scores.DERIVED),
            null,
            STORAGE.qualify(settings.get(Options.TRAIN_PATH)).toString(),
            CacheReader.open(STORAGE, targets, List.of()).plan().fingerprints()));
  }

  private static JsonObject json(String text) {
    return JsonParser.parseString(text).getAsJsonObject();
  }
}
