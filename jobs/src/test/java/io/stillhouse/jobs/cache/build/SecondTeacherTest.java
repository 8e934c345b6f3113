package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adds targets of a second teacher to a cache. */
@Tag("spark")
class SecondTeacherTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static Path base;
  private static Path both;
  private static Path shallow;
  private static CacheRecord first;

  private Path cache;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 60, "LABEL_2", "0");
    base = shared.resolve("cache");
    first = new CacheJob(spark, settings(base)).run();
    shallow = Tiny.shallow(shared.resolve("shallow"), 1.25f, head());
    both = Tiny.copy(base, shared.resolve("both"));
    new CacheJob(spark, settings(both, ofShallow())).run();
  }

  @BeforeEach
  void copiesCache() throws IOException {
    cache = Tiny.copy(base, directory.resolve("cache"));
  }

  private void hasBothTeachers() throws IOException {
    cache = Tiny.copy(both, directory.resolve("both"));
  }

  @Test
  void addingTeacherKeepsTargetsOfFirst() throws IOException {
    Map<String, byte[]> before = Tiny.files(cache);
    List<CacheFile> listed = manifest().state().files();
    Map<String, List<byte[]>> cells = cells("", Targets.LOGITS, Targets.hidden(3));

    CacheRecord result = second("targets.hidden=[1,2]");

    assertThat(result.computedShards()).isEqualTo(first.shards());
    assertThat(result.columns()).containsExactly("hidden_01", "hidden_02", "logits");
    Map<String, byte[]> after = Tiny.files(cache);
    before.forEach((name, bytes) -> assertThat(after.get(name)).as(name).isEqualTo(bytes));
    assertThat(manifest().state().files()).containsAll(listed);
    List<String> added = after.keySet().stream().filter(name -> !before.containsKey(name)).toList();
    assertThat(added.stream().filter(name -> name.endsWith(".parquet")))
        .hasSize(2 * first.shards())
        .allMatch(name -> name.matches("teachers/shallow/(hidden|logits)/shard-.*"));
    assertThat(added)
        .contains("teachers/shallow/teacher.json", "teachers/shallow/teacher/model.safetensors");
    assertThat(cells("", Targets.LOGITS, Targets.hidden(3)))
        .usingRecursiveComparison()
        .isEqualTo(cells);
    assertThat(cells("shallow", Targets.LOGITS).get("rows.tsv:0"))
        .isNotEqualTo(cells("", Targets.LOGITS).get("rows.tsv:0"));
    assertThat(second("targets.hidden=[1,2]").computedShards()).isZero();
  }

  @Test
  void verifyComparesEachTeacherWithItsOwnTargets() throws IOException {
    second("targets.dtype=float16");

    VerifyJob.Result result = verify("verify.rows=16");

    assertThat(result.isSound()).as("%s", result.lines()).isTrue();
    assertThat(result.fidelity())
        .containsOnlyKeys(
            "logits",
            "hidden_01",
            "attention_02 (derived)",
            "value_relations_02 (derived)",
            "hidden_03",
            "shallow/logits",
            "shallow/hidden_02");
    assertThat(result.fidelity().get("hidden_03").error()).isBetween(0.0, 1e-5);
    assertThat(result.fidelity().get("shallow/hidden_02").error()).isBetween(1e-6, 1e-3);
  }

  @Test
  void trainUsesNamedTeacher() throws IOException {
    hasBothTeachers();

    TrainedStudent mine = train("of-shallow", "teacher.name=shallow");
    TrainedStudent other = train("of-first");

    assertThat(mine.losses().first().get("hidden-mse"))
        .isNotEqualTo(other.losses().first().get("hidden-mse"));
    assertThat(mine.losses().last().get("hidden-mse"))
        .isLessThan(mine.losses().first().get("hidden-mse"));
  }

  @Test
  void evaluateUsesNamedTeacher() throws IOException {
    hasBothTeachers();

    assertThat(evaluate("teacher.name=shallow").models().get(0).parameters())
        .isEqualTo(HuggingFaceDirectory.open(shallow).spec().parameterCount())
        .isLessThan(evaluate().models().get(0).parameters());
  }

  @Test
  void trainRejectsUnknownTeacher() throws IOException {
    hasBothTeachers();

    assertThatThrownBy(() -> train("of-none", "teacher.name=large"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no teacher 'large'; besides the first")
        .hasMessageContaining("[shallow]")
        .hasMessageContaining("correct teacher.name");
  }

  @Test
  void trainRejectsColumnThatNamedTeacherLacks() throws IOException {
    hasBothTeachers();

    assertThatThrownBy(() -> train("of-deep", "teacher.name=shallow", "student.layers=2"))
        .hasMessageContaining("lacks hidden_01 of teacher 'shallow' in some shards");
  }

  @Test
  void newTextLacksTargetsOfOtherTeacher() throws IOException {
    hasBothTeachers();
    Path more = Tiny.labelled(directory.resolve("more/more.tsv"), 20, "1", "0");
    String files = "corpus.path=[" + corpus + "," + more + "]";

    CacheRecord grown = second(files);

    assertThat(grown.rows()).isEqualTo(80);
    int added = grown.shards() - first.shards();
    assertThat(grown.computedShards()).isEqualTo(added);
    assertThat(verify("verify.rows=0").missing())
        .containsExactlyInAnyOrder(
            format("hidden_01 in %d shards", added),
            format("hidden_03 in %d shards", added),
            format("logits in %d shards", added));
    assertThat(new CacheJob(spark, settings(cache, files)).run().computedShards()).isEqualTo(added);
    assertThat(verify("verify.rows=8").isSound()).isTrue();
    assertThat(cells("shallow", Targets.hidden(2))).hasSize(80);
    // Labels always use the first teacher's classes.
    assertThat(reader("", List.of()).inputs(grown.shards() - 1)).allMatch(row -> row.label() < 2);
  }

  @Test
  void rejectsTeacherWithDifferentVocabulary() throws IOException {
    Map<String, byte[]> before = Tiny.files(cache);
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(shallow, swapped);

    assertThatThrownBy(() -> second("teacher.path=" + swapped))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("teacher 'shallow' has a different tokenizer")
        .hasMessageContaining(difference)
        .hasMessageContaining("all teachers of a cache read the same ids");
    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void rejectsDifferentTeacherUnderSameName() throws IOException {
    hasBothTeachers();
    Path other = Tiny.shallow(directory.resolve("other"), 1.5f, head());

    assertThatThrownBy(() -> second("teacher.path=" + other, "targets.dtype=int8"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("was built with teacher.sha256 = ")
        .hasMessageContaining("was built with targets.dtype = float32, but this recipe has int8");
  }

  @Test
  void rejectsDifferentMaximumLength() throws IOException {
    hasBothTeachers();

    assertThatThrownBy(() -> second("corpus.max-length=20"))
        .hasMessageContaining("corpus.max-length = 40, but this recipe has 20");
  }

  @Test
  void rejectsInvalidTeacherName() {
    assertThatThrownBy(() -> settings(cache, "teacher.name=a/b"))
        .hasMessageContaining("teacher.name must be letters, digits or '-', but is 'a/b'");
  }

  @Test
  void rejectsSecondTeacherWithoutCache() {
    cache = directory.resolve("none");
    assertThatThrownBy(this::second)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("does not exist, so teacher.name 'shallow' cannot be added")
        .hasMessageContaining("build the cache with its first teacher");
    assertThat(cache).doesNotExist();
  }

  @Test
  void nonFiniteOutputInvalidatesRowForItsTeacherOnly() throws IOException {
    Path broken = Tiny.shallow(directory.resolve("broken"), Float.NaN, head());

    CacheRecord result = second("teacher.path=" + broken, "corpus.max-invalid=1");

    assertThat(result.invalidRows()).isEqualTo(60);
    assertThat(cells("shallow")).isEmpty();
    assertThat(cells("", Targets.LOGITS)).hasSize(60);
  }

  @Test
  void addsMaskedLmToPlainRows() throws IOException {
    CacheRecord plain =
        second("teacher.path=" + Tiny.MLM, "targets.hidden=[]", "targets.mlm-logits=derived");

    assertThat(plain.columns()).containsExactly("hidden_03");
  }

  @Test
  void headlessTeacherHasHiddenStatesOnly() throws IOException {
    Path headless = Tiny.shallow(directory.resolve("headless"), 1.5f, Head.NONE);

    assertThat(second("teacher.path=" + headless).columns()).containsExactly("hidden_02");
  }

  private static Head head() throws IOException {
    return HuggingFaceDirectory.open(Tiny.CLS).spec().head();
  }

  private TrainedStudent train(String name, String... more) throws IOException {
    Settings settings =
        recipe(cache)
            .student(directory.resolve("students"))
            .withoutBaseline()
            .with(
                "student.name=" + name,
                "student.hidden-size=0",
                "student.layer-map=top",
                "train.epochs=3",
                "train.learning-rate=1e-2")
            .settings(more);
    return new TrainJob(spark, settings).run().students().get(0);
  }

  private Evaluation evaluate(String... more) throws IOException {
    Settings settings =
        recipe(cache)
            .with(
                "train.path=" + directory.resolve("nothing"),
                "evaluate.output=" + directory.resolve("evaluation.json"))
            .settings(more);
    return new EvaluateJob(spark, settings).run();
  }

  private CacheReader reader(String teacher, List<Column> columns) throws IOException {
    return CacheReader.open(STORAGE, hadoop(), teacher, columns);
  }

  private Map<String, List<byte[]>> cells(String teacher, Column... columns) throws IOException {
    return CacheRows.cells(reader(teacher, List.of(columns)), List.of(columns));
  }

  private ManifestLog manifest() throws IOException {
    return ManifestLog.read(STORAGE, hadoop());
  }

  private org.apache.hadoop.fs.Path hadoop() {
    return CacheRows.hadoop(cache);
  }

  private VerifyJob.Result verify(String... settings) throws IOException {
    return Tiny.verify(cache, settings);
  }

  private CacheRecord second(String... more) throws IOException {
    return new CacheJob(spark, recipe(cache).with(ofShallow()).settings(more)).run();
  }

  private static String[] ofShallow() {
    return new String[] {"teacher.name=shallow", "teacher.path=" + shallow, "targets.hidden=[2]"};
  }

  private static Settings settings(Path cache, String... more) {
    return recipe(cache).settings(more);
  }

  private static TinyRecipe recipe(Path cache) {
    return TinyRecipe.labelled(corpus)
        .cache(cache)
        .shardTokens(300)
        .with("targets.hidden=[1,3]", "targets.dtype=float32");
  }
}
