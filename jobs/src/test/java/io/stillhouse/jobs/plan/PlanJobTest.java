package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plans a recipe, and compares the prediction with the real cache. */
@Tag("spark")
class PlanJobTest {
  private static final PlanJob.FreeSpace PLENTY = path -> Long.MAX_VALUE;

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static PlanResult plan;
  private static List<String> written;
  private static CacheRecord record;

  @BeforeAll
  static void plansAndCachesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("corpus/rows.tsv"), 200, "LABEL_2", "LABEL_0");
    Path planned = Files.createDirectory(shared.resolve("planned"));
    TinyRecipe recipe = recipe(planned);
    plan =
        new PlanJob(spark, recipe.settings("plan.price-per-tb-month=0", "plan.students=3"), PLENTY)
            .run();
    written = names(planned);
    record = new CacheJob(spark, recipe.settings()).run();
  }

  @Test
  void countsRowsWithoutLabels() throws IOException {
    Path more = Tiny.labelled(directory.resolve("more.tsv"), 50, "", "");

    PlanResult plan = plan("corpus.unlabelled=" + more, "loss.hard-label.weight=1");

    assertThat(plan.probe().corpus().rows()).isEqualTo(250);
  }

  @Test
  void writesOnlyResult() {
    assertThat(written).containsExactly("plan.json");
  }

  @Test
  void predictsCacheSize() throws IOException {
    Map<String, byte[]> files = Tiny.files(shared.resolve("planned/not/there/cache"));
    long bytes =
        files.entrySet().stream()
            .filter(file -> !file.getKey().startsWith("teacher/"))
            .mapToLong(file -> file.getValue().length)
            .sum();

    assertThat(plan.disk().bytes()).isCloseTo(bytes, within(0.05 * bytes));
    assertThat(plan.disk().shards()).isEqualTo(record.shards());
    assertThat(plan.disk().files())
        .isEqualTo((int) files.keySet().stream().filter(f -> f.endsWith(".parquet")).count());
  }

  @Test
  void countsSmallCorpus() {
    assertThat(plan.probe().corpus().rows()).isEqualTo(record.rows());
    assertThat(plan.probe().corpus().tokens()).isEqualTo(record.tokens());
    assertThat(plan.probe().corpusBasis()).isEqualTo("counted");
  }

  @Test
  void countsStepsAndReads() {
    assertThat(plan.probe().students())
        .extracting(PlanResult.Student::name)
        .containsExactly("student", "student-baseline");
    assertThat(plan.probe().students().get(0).steps()).isEqualTo(100);
    assertThat(plan.breakEven().readsOfRecipe()).isEqualTo(12);
  }

  @Test
  void listsTargetsThatStudentDoesNotRead() {
    assertThat(plan.targets().unread()).containsExactly("hidden_00", "hidden_02");
  }

  @Test
  void writesResultAndRecipeAsJson() throws IOException {
    JsonObject json =
        JsonParser.parseString(Files.readString(shared.resolve("planned/plan.json")))
            .getAsJsonObject();

    JsonObject result = json.getAsJsonObject("result");
    assertThat(result.get("verdict").getAsString()).isEqualTo(plan.verdict());
    assertThat(result.getAsJsonObject("hours").get("cache").getAsDouble()).isPositive();
    assertThat(json.getAsJsonObject("recipe").get("train.epochs").getAsString()).isEqualTo("4");
  }

  @Test
  void tableShowsVerdict() {
    assertThat(plan.table()).contains("verdict", plan.verdict(), "(counted)");
  }

  @Test
  void singleReadFromExpensiveStorageIsNotWorthCaching() throws IOException {
    PlanResult plan = plan("train.epochs=1", "plan.price-per-tb-month=1e12", "train.max-steps=5");
    assertThat(plan.verdict()).startsWith("do not cache: ");
    Double reads = plan.breakEven().reads();
    // On a busy machine such a small model may run faster than its cells are read; then none do.
    assertThat(plan.verdict())
        .contains(reads == null ? "takes longer than running the teacher" : "is read 0.20 times");
    assertThat(reads == null ? Double.POSITIVE_INFINITY : reads).isGreaterThan(1.0);
    assertThat(plan.cost().cached()).isGreaterThan(plan.cost().online());
    assertThat(plan.cost().limit()).isEqualTo("storage price");
  }

  @Test
  void rejectsCacheThatDoesNotFitOnDisk() {
    assertThatThrownBy(() -> new PlanJob(spark, settings(), path -> 100_000).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the cache would take")
        .hasMessageContaining("has 100,000 free: less than 1.2 times as many")
        .hasMessageContaining("use another cache.path");
    assertThat(directory.resolve("plan.json")).doesNotExist();
    assertThat(directory).isDirectoryNotContaining("glob:**_stillhouse*");
  }

  @Test
  void rejectsMoreThanOneStage() {
    Settings stages = settings("train.stages=[{ name = a }, { name = b }]");
    assertThatThrownBy(() -> new PlanJob(spark, stages, PLENTY))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("train.stages names 2")
        .hasMessageContaining("set train.stages='[]' and the settings of one stage");
  }

  @Test
  void freeSpaceIsWritableSpace() throws IOException {
    PlanResult plan = new PlanJob(spark, settings()).run();
    long usable = Files.getFileStore(directory).getUsableSpace();
    assertThat(plan.disk().freeBytes()).isCloseTo(usable, within(0.2 * usable));
  }

  @Test
  void rejectsHugeCacheBeforeTeacherRuns() {
    assertThatThrownBy(() -> new PlanJob(spark, settings(), path -> 1000).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("would take at least");
  }

  @Test
  void reportsTimeoutAndCleansUp() throws IOException {
    try (Deadline deadline = Deadline.of(spark, 0.05)) {
      assertThatThrownBy(
              () ->
                  deadline.run(
                      "rows were counted",
                      () -> spark.range(0, 1L << 50, 1, 2).filter("id % 7 = 8").count()))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("time ran out while rows were counted")
          .hasMessageContaining("plan.seconds");
    }
  }

  @Test
  void removesLeftoversOfKilledProbesOnly() throws IOException {
    String host = InetAddress.getLocalHost().getHostName();
    Path dead = directory.resolve("_stillhouse-plan-" + host + "-999999999");
    Path alive =
        directory.resolve(
            "_stillhouse-plan-" + host + "-" + ProcessHandle.current().parent().get().pid());
    Files.createDirectories(dead.resolve("cache"));
    Files.createDirectories(alive);
    Storage storage = new Storage(new Configuration());
    org.apache.hadoop.fs.Path cache =
        storage.qualify(directory.resolve("not/there/cache").toString());
    try (Scratch scratch = Scratch.open(storage, cache)) {
      assertThat(dead).doesNotExist();
      assertThat(alive).exists();
      assertThat(Path.of(scratch.path("x").toUri().getPath()).getParent()).exists();
    }
    assertThat(names(directory)).containsExactly(alive.getFileName().toString());
  }

  @Test
  void estimatesLargeCorpusFromSample() throws IOException {
    Path lines = Tiny.lines(directory.resolve("lines.txt"), 4000);
    Settings settings =
        settings(
            "teacher.path=" + Tiny.MLM,
            "corpus.path=" + lines,
            "corpus.text=",
            "corpus.label=",
            "targets.mask-variants=2");
    Storage storage = new Storage(new Configuration());
    try (Scratch scratch = Scratch.open(storage, storage.qualify(directory + "/cache"))) {
      CorpusSample sample = CorpusSample.draw(spark, settings, scratch, 16_000, 20_000);
      assertThat(sample.basis()).startsWith("estimated: 16 byte ranges read");
      assertThat(sample.isComplete()).isFalse();
      org.apache.hadoop.fs.Path inputs = scratch.path("inputs");
      new CacheJob(spark, CorpusSample.recipe(settings, sample.table())).writeInputs(inputs);
      Lengths estimate = Lengths.of(spark, inputs).multiply(sample.factor());
      org.apache.hadoop.fs.Path all = scratch.path("all");
      new CacheJob(spark, settings).writeInputs(all);
      Lengths counted = Lengths.of(spark, all);
      assertThat(counted.rows()).isEqualTo(8000);
      assertThat(estimate.rows()).isCloseTo(8000, within(800.0));
      assertThat(estimate.tokens()).isCloseTo(counted.tokens(), within(0.05 * counted.tokens()));
      assertThat(estimate.squares()).isCloseTo(counted.squares(), within(0.1 * counted.squares()));
    }
  }

  @Test
  void listsStorageChoicesForMaskedLmTargets() throws IOException {
    PlanResult plan =
        plan(
            "teacher.path=" + Tiny.MLM,
            "corpus.path=" + Tiny.lines(directory.resolve("lines.txt"), 100),
            "corpus.text=",
            "corpus.label=",
            "targets.top-k=4",
            "targets.hidden=[3]",
            "targets.attention=[]",
            "targets.mlm-logits=dense",
            "loss.soft-label.kind=mse",
            "teacher.name=another");
    assertThat(plan.targets().choices()).hasSize(12);
    assertThat(plan.targets().choices())
        .filteredOn(choice -> choice.settings().get("targets.mlm-logits").equals("top-k"))
        .hasSize(3)
        .allSatisfy(choice -> assertThat(choice.serves()).startsWith("no: ").contains("mse"));
    assertThat(plan.targets().choices())
        .filteredOn(Choices.Choice::current)
        .singleElement()
        .satisfies(
            own -> {
              assertThat(own.basis()).isEqualTo("measured");
              assertThat(own.bytesPerToken()).isCloseTo(plan.disk().bytesPerToken(), within(1e-6));
              assertThat(own.isUsable()).isTrue();
            });
    Choices.Choice cheapest =
        plan.targets().choices().stream()
            .filter(Choices.Choice::isUsable)
            .findFirst()
            .orElseThrow();
    assertThat(cheapest.settingsText()).isEqualTo("targets.dtype=int8 targets.mlm-logits=derived");
  }

  private PlanResult plan(String... more) throws IOException {
    return new PlanJob(spark, settings(more), PLENTY).run();
  }

  private Settings settings(String... more) {
    return recipe(directory).settings(more);
  }

  private static TinyRecipe recipe(Path directory) {
    return TinyRecipe.labelled(corpus)
        .cache(directory.resolve("not/there/cache"))
        .shardTokens(512)
        .tinyBertTargets()
        .with(
            "student.layers=1",
            "student.dropout=0",
            "loss.soft-label.weight=1",
            "loss.hidden-mse.weight=1",
            "train.epochs=4",
            "train.batch-size=8",
            "train.path=" + directory.resolve("students"),
            "plan.seconds=300",
            "plan.output=" + directory.resolve("plan.json"));
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }
}
