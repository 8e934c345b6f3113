package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests each kind of stored targets, from recipe to trained student, and rows without targets. */
@Tag("spark")
class TargetKindsTest {
  @TempDir private Path directory;

  private static SparkSession spark;

  @BeforeAll
  static void opensSession() {
    spark = Tiny.spark();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "targets.mlm-logits=dense",
        "targets.mlm-logits=top-k targets.top-k=8 targets.temperatures=[1,2]",
        "targets.mlm-logits=sampled targets.samples=20 train.seed=7",
        "targets.mlm-logits=derived targets.dtype=int8",
        "targets.mlm-logits=top-k targets.top-k=8 targets.mlm-positions=masked"
            + " loss.soft-label.positions=masked",
      })
  void studentLearnsFromEveryKindOfSoftLabels(String kind) throws IOException {
    Settings settings = maskedLm(kind.split(" ")).settings();

    new CacheJob(spark, settings).run();
    VerifyJob.Result verified = Tiny.verify(cache(), "verify.rows=16");
    assertThat(verified.isSound()).as("%s", verified.lines()).isTrue();
    TrainJob.Result trained = new TrainJob(spark, settings).run();

    Map<String, Double> first = trained.students().get(0).losses().first();
    Map<String, Double> last = trained.students().get(0).losses().last();
    assertThat(last.get("soft-label")).isBetween(0.0, first.get("soft-label"));
  }

  @Test
  void rejectsTemperaturesAndPositionsThatWereNotStored() throws IOException {
    TinyRecipe recipe = maskedLm("targets.mlm-logits=sampled", "targets.mlm-positions=masked");
    new CacheJob(spark, recipe.settings()).run();

    assertThatThrownBy(
            () ->
                new TrainJob(
                    spark,
                    recipe.settings(
                        "targets.temperatures=[2]",
                        "loss.soft-label.temperature=3",
                        "loss.soft-label.kind=mse")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("loss.soft-label.temperature is 3.0, but soft labels are kept for")
        .hasMessageContaining("loss.soft-label.kind mse needs every logit")
        .hasMessageContaining(
            "loss.soft-label.positions is all, but targets.mlm-positions is masked");
  }

  @Test
  void derivedScoresTrainSameStudentAsStoredScores() throws IOException {
    Map<String, Double> stored = attention("stored", "float32");
    Map<String, Double> derived = attention("derived", "float32");
    Map<String, Double> int8 = attention("derived", "int8");

    stored.forEach(
        (term, value) -> {
          assertThat(derived.get(term)).as(term).isCloseTo(value, withinShare(1e-3));
          assertThat(int8.get(term)).as(term).isCloseTo(value, withinShare(5e-2));
        });
  }

  @Test
  void blankAndNonUtf8RowsHaveStatusAndAreCounted() throws IOException {
    Path corpus = invalid();

    CacheRecord result = new CacheJob(spark, classified(corpus, "corpus.max-invalid=0.1")).run();

    assertThat(result.rows()).isEqualTo(42);
    assertThat(result.invalidRows()).isEqualTo(2);
    assertThat(Tiny.verify(cache(), "verify.rows=8").isSound()).isTrue();
    Storage storage = Storage.ofThisProcess();
    org.apache.hadoop.fs.Path cache = new org.apache.hadoop.fs.Path("file:" + cache());
    CachePlan plan = CachePlan.read(storage, cache);
    assertThat(plan.corpus().invalid()).isEqualTo(Map.of("empty", 1L, "not UTF-8", 1L));
    CacheReader reader = CacheReader.open(storage, cache, List.of());
    assertThat(reader.shardRows().stream().mapToInt(Integer::intValue).sum()).isEqualTo(40);
    Map<String, String> status = new HashMap<>();
    spark
        .read()
        .parquet(cache() + "/inputs")
        .select("id", "status")
        .collectAsList()
        .forEach(row -> status.put(row.getString(0), row.getString(1)));
    assertThat(status)
        .hasSize(42)
        .containsEntry("rows.tsv:40", "empty")
        .containsEntry("rows.tsv:41", "not UTF-8");
  }

  @Test
  void tooManyInvalidRowsFailJobAndLeaveNothing() throws IOException {
    Path corpus = invalid();

    assertThatThrownBy(() -> new CacheJob(spark, classified(corpus)).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "2 of 42 rows are invalid, more than corpus.max-invalid (0.01) allows: empty (1, such"
                + " as row 'rows.tsv:40'), not UTF-8 (1, such as row 'rows.tsv:41'); correct them,"
                + " or set corpus.encoding if the files are in another encoding, or leave them out"
                + " with corpus.max-invalid=0.048");
    assertThat(cache()).doesNotExist();
  }

  @Test
  void nonFiniteOutputInvalidatesOnlyAffectedRows() throws IOException {
    Path teacher = withoutNumberFor("his", Tiny.CLS);
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 60, "LABEL_2", "0");
    long with =
        Files.readAllLines(corpus).stream().filter(line -> line.matches(".*\\bhis\\b.*")).count();

    CacheRecord result =
        new CacheJob(spark, classified(corpus, "teacher.path=" + teacher, "corpus.max-invalid=1"))
            .run();

    assertThat(with).isBetween(5L, 55L);
    assertThat(result.invalidRows()).isEqualTo(with);
    CacheReader reader =
        CacheReader.open(
            Storage.ofThisProcess(),
            new org.apache.hadoop.fs.Path("file:" + cache()),
            List.of(io.stillhouse.target.Targets.hidden(3)));
    int rows = 0;
    for (int shard = 0; shard < reader.shardRows().size(); shard++) {
      rows += reader.read(shard).size();
      assertThat(reader.read(shard)).hasSize(reader.shardRows().get(shard));
    }
    assertThat(rows).isEqualTo(60 - (int) with);
  }

  @Test
  void rerunDoesNotBypassLimitOfInvalidRows() throws IOException {
    Path teacher = withoutNumberFor("his", Tiny.CLS);
    Path corpus = invalid();
    Settings settings = classified(corpus, "teacher.path=" + teacher, "corpus.max-invalid=0.06");

    for (int run = 0; run < 12; run++) { // a shard or two a run
      assertThatThrownBy(() -> new CacheJob(spark, settings).run())
          .hasStackTraceContaining("the teacher's output is not finite (")
          .hasStackTraceContaining("empty (1, such as row 'rows.tsv:40')")
          .hasStackTraceContaining("more than corpus.max-invalid (0.06) allows");
      assertThat(cache().resolve("cache.json")).doesNotExist();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"dense", "top-k", "sampled"})
  void rowsWithNonFiniteMaskedLmLogitsHaveNoTargets(String kind) throws IOException {
    // The embedding is the head's weight as well: one logit of every token.
    Path teacher = withoutNumberFor("his", Tiny.MLM);
    Settings settings =
        maskedLm()
            .teacher(teacher)
            .settings("targets.mlm-logits=" + kind, "targets.top-k=8", "corpus.max-invalid=1");

    CacheRecord result = new CacheJob(spark, settings).run();

    assertThat(result.invalidRows()).isEqualTo(result.rows()).isPositive();
  }

  @Test
  void rejectsDuplicateKeys() throws IOException {
    String words = "the old man and the sea ".repeat(10);
    Path corpus = directory.resolve("rows.tsv");
    Files.writeString(corpus, format("key\ttext\tlabel\na\t%s\t0\na#1\tthe end\t0\n", words));

    assertThatThrownBy(
            () ->
                new CacheJob(spark, classified(corpus, "corpus.id=key", "corpus.too-long=split"))
                    .run())
        .hasStackTraceContaining("two rows have the key 'a#1'");
    assertThat(cache()).doesNotExist();
  }

  private static org.assertj.core.data.Percentage withinShare(double share) {
    return org.assertj.core.data.Percentage.withPercentage(100 * share);
  }

  private Map<String, Double> attention(String scores, String dtype) throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 60, "LABEL_2", "0");
    Path own = directory.resolve(scores + "-" + dtype);
    Settings settings =
        classified(
            corpus,
            "cache.path=" + own.resolve("cache"),
            "train.path=" + own.resolve("students"),
            "targets.attention=[1,2,3]",
            "targets.scores=" + scores,
            "targets.dtype=" + dtype,
            "student.layers=3",
            "student.init=random",
            "student.dropout=0",
            "loss.attention-mse.weight=1",
            "loss.embedding-mse.weight=1",
            "train.baseline=false",
            "train.max-steps=6",
            "train.learning-rate=1e-3");
    new CacheJob(spark, settings).run();
    return new TrainJob(spark, settings).run().students().get(0).losses().last();
  }

  /** Returns a model with one word's embedding made NaN. */
  private Path withoutNumberFor(String word, Path model) throws IOException {
    Path teacher = Tiny.copy(model, directory.resolve("teacher"));
    int id = Files.readAllLines(model.resolve("vocab.txt")).indexOf(word);
    String name = EncoderSpec.WORDS;
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory opened = HuggingFaceDirectory.open(model);
      Map<String, NDArray> weights = opened.weights(manager);
      float[] words = weights.get(name).toFloatArray();
      words[id * Tiny.WIDTH] = Float.NaN;
      weights.put(name, manager.create(words, weights.get(name).getShape()));
      HuggingFaceDirectory.write(teacher, opened.spec(), weights, null);
    }
    return teacher;
  }

  private Path invalid() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 40, "LABEL_2", "0");
    byte[] sound = Files.readAllBytes(corpus);
    byte[] empty = "\t0\n".getBytes(StandardCharsets.UTF_8);
    byte[] broken = {'t', 'h', 'e', ' ', (byte) 0xff, (byte) 0xfe, '\t', '0', '\n'};
    byte[] all = new byte[sound.length + empty.length + broken.length];
    System.arraycopy(sound, 0, all, 0, sound.length);
    System.arraycopy(empty, 0, all, sound.length, empty.length);
    System.arraycopy(broken, 0, all, sound.length + empty.length, broken.length);
    Files.write(corpus, all);
    return corpus;
  }

  private Path cache() {
    return directory.resolve("cache");
  }

  private Settings classified(Path corpus, String... more) {
    return TinyRecipe.labelled(corpus)
        .cache(cache())
        .shardTokens(300)
        .with("targets.hidden=[3]")
        .settings(more);
  }

  private TinyRecipe maskedLm(String... more) throws IOException {
    return TinyRecipe.text(Tiny.lines(directory.resolve("lines.txt"), 48))
        .cache(cache())
        .shardTokens(300)
        .student(directory.resolve("students"))
        .withoutBaseline()
        .with(
            "student.hidden-size=0",
            "student.heads=0",
            "loss.hidden-mse.weight=0",
            "loss.soft-label.temperature=2",
            "train.batch-size=16",
            "train.epochs=8",
            "train.learning-rate=5e-3")
        .with(more);
  }
}
