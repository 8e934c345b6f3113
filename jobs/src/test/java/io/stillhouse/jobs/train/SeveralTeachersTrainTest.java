package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.jobs.cache.read.RowJoin;
import io.stillhouse.jobs.cache.read.RowKey;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains a student on two teachers with separate caches. */
@Tag("spark")
class SeveralTeachersTrainTest {
  private static final Storage STORAGE = new Storage(new Configuration());
  private static final int ROWS = 60;
  private static final String BOTH = "terms = [soft-label, hidden-mse]";

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static List<String> rows;
  private static Path first;
  private static Path second;
  private static Path lacking;
  private static Path shallow;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    Random random = new Random(5);
    rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      rows.add(format("key-%d\t%s\t%d", row, Tiny.words(random, 1 + random.nextInt(30)), row % 2));
    }
    first = cache("first", Tiny.CLS, rows, 512);
    shallow =
        Tiny.shallow(
            shared.resolve("shallow"), 1.25f, HuggingFaceDirectory.open(Tiny.CLS).spec().head());
    List<String> shuffled = new ArrayList<>(rows);
    for (int row = 0; row < 9; row++) {
      shuffled.add(format("more-%d\t%s\t0", row, Tiny.words(random, 7)));
    }
    Collections.shuffle(shuffled, new Random(1));
    second = cache("second", shallow, shuffled, 256);
    List<String> fewer = new ArrayList<>(rows);
    fewer.removeIf(row -> row.startsWith("key-17\t"));
    fewer.replaceAll(row -> row.startsWith("key-4\t") ? "key-4\t \t0" : row);
    Collections.shuffle(fewer, new Random(3));
    lacking = cache("lacking", shallow, fewer, 300);
  }

  @Test
  void joinsRowsByKeyAcrossShards() throws IOException {
    CacheReader one = reader(first);
    CacheReader two = reader(second);
    RowJoin join = RowJoin.of(one, "first", two, "second", RowKey.With.TEXT_AND_TOKENS);
    assertThat(join.missingInWords("first", "second")).isEmpty();
    assertThat(one.shardRows().size()).isNotEqualTo(two.shardRows().size());
    assertThat(join.maxShards()).isGreaterThan(1);
    Map<String, byte[]> logits = new HashMap<>();
    for (int shard = 0; shard < two.shardRows().size(); shard++) {
      two.read(shard).forEach(row -> logits.put(row.id(), row.cell(Targets.LOGITS)));
    }

    JoinedReader joined =
        new JoinedReader(
            one,
            List.of(
                new JoinedReader.AdditionalTeacher(
                    "b", two, join.shards(), JoinedReader.Tokens.SAME)),
            List.of());

    assertThat(joined.shardRows()).isEqualTo(one.shardRows());
    List<String> keys = new ArrayList<>();
    for (int shard = 0; shard < one.shardRows().size(); shard++) {
      List<Example> alone = one.read(shard);
      List<Example> of = joined.read(shard);
      for (int row = 0; row < alone.size(); row++) {
        assertThat(of.get(row).id()).isEqualTo(alone.get(row).id());
        assertThat(of.get(row).cell(Targets.LOGITS)).isEqualTo(alone.get(row).cell(Targets.LOGITS));
        assertThat(of.get(row).additional().get(0).cell(Targets.LOGITS))
            .isEqualTo(logits.get(of.get(row).id()))
            .isNotEqualTo(of.get(row).cell(Targets.LOGITS));
        keys.add(of.get(row).id());
      }
    }
    assertThat(keys).hasSize(ROWS).doesNotHaveDuplicates();
  }

  @Test
  void termIsWeightedMeanOverTeachers() throws IOException {
    List<String> same = new ArrayList<>(rows);
    Collections.shuffle(same, new Random(2));
    Path alone = cache("alone", shallow, same, 300);
    // One step over all rows: the terms are those of the student's first weights.
    String[] one = {"train.epochs=1", "train.batch-size=" + ROWS};
    TrainedStudent.Losses a = train("a", one).students().get(0).losses();
    TrainedStudent.Losses b =
        train("b", and(one, "cache.path=" + alone)).students().get(0).losses();

    TrainJob.Result both = train("both", and(one, teachers(second, "weight = 3, " + BOTH)));

    assertThat(both.students().get(0).steps()).isEqualTo(1);
    assertThat(both.notes()).isEmpty();
    TrainedStudent.Losses losses = both.students().get(0).losses();
    for (String term : List.of("soft-label", "hidden-mse")) {
      double mean = (a.first().get(term) + 3 * b.first().get(term)) / 4;
      assertThat(losses.first().get(term)).as(term).isCloseTo(mean, within(mean * 1e-5));
      assertThat(b.first().get(term)).as(term).isNotCloseTo(a.first().get(term), within(1e-4));
    }
    assertThat(losses.first().get("hard-label")).isEqualTo(a.first().get("hard-label"));
  }

  @Test
  void readsSecondTeacherOfSameCache() throws IOException {
    Path copy = Tiny.copy(first, directory.resolve("first"));
    new CacheJob(
            spark,
            settings(copy, shallow, shared.resolve("first/rows.tsv"), 512, "teacher.name=shallow"))
        .run();

    TrainJob.Result inside =
        train(
            "inside",
            "cache.path=" + copy,
            format("loss.teachers=[{ name = b, teacher = shallow, %s }]", BOTH));
    TrainJob.Result outside = train("outside", teachers(second, BOTH));

    assertThat(inside.students().get(0).losses().first().get("soft-label"))
        .isCloseTo(outside.students().get(0).losses().first().get("soft-label"), within(1e-4));
  }

  @Test
  void rejectsMissingRows() {
    assertThatThrownBy(() -> train("rejected", teachers(lacking, BOTH)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("of 60 rows of cache")
        .hasMessageContaining("1 are not in cache")
        .hasMessageContaining("(key-17)")
        .hasMessageContaining("1 have no targets in cache")
        .hasMessageContaining("(key-4)")
        .hasMessageContaining("cache the whole corpus with that teacher")
        .hasMessageContaining("loss.missing-rows=leave-out");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void skipsMissingRowsOnRequest() throws IOException {
    TrainJob.Result left =
        train(
            "left",
            teachers(lacking, BOTH),
            "loss.missing-rows=leave-out",
            "train.batch-size=1",
            "train.epochs=1",
            "train.baseline=true");

    assertThat(left.notes())
        .singleElement()
        .asString()
        .contains("left out of training, by loss.missing-rows: of 60 rows")
        .contains("(key-17)")
        .contains("(key-4)");
    assertThat(left.students())
        .extracting(TrainedStudent::name, TrainedStudent::steps)
        .containsExactly(tuple("left", 58L), tuple("left-baseline", 58L));
    assertThat(left.students())
        .extracting(student -> student.training().rowsLeftOut())
        .containsExactly(2, 2);
    assertThat(tokens("left")).isEqualTo(tokens("left-baseline"));
    CacheReader one = reader(first);
    long without = 0;
    for (int shard = 0; shard < one.shardRows().size(); shard++) {
      without +=
          one.read(shard).stream()
              .filter(row -> !row.id().equals("key-17") && !row.id().equals("key-4"))
              .mapToLong(Example::length)
              .sum();
    }
    assertThat(tokens("left").stream().mapToLong(Long::longValue).sum()).isEqualTo(without);
  }

  @Test
  void differentTokenizerAllowsOnlyLogits() throws IOException {
    Path swapped = directory.resolve("swapped");
    String difference = Tiny.swapTokens(shallow, swapped);
    Path cache = cache("swapped", swapped, rows, 512);

    assertThat(train("logits", teachers(cache, "weight = 2")).students()).hasSize(1);
    assertThatThrownBy(() -> train("states", teachers(cache, BOTH)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("teacher 'b' in loss.teachers has a different tokenizer")
        .hasMessageContaining(difference)
        .hasMessageContaining("but hidden-mse compares targets token by token");
  }

  @Test
  void differentTruncationAllowsOnlyLogits() throws IOException {
    Path cut = cache("cut", shallow, rows, 512, "corpus.max-length=8");

    assertThat(train("logits", teachers(cut, "weight = 2")).students()).hasSize(1);
    assertThatThrownBy(() -> train("states", teachers(cut, BOTH)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("have different token ids or masks in cache")
        .hasMessageContaining("corpus.max-length");
  }

  @Test
  void rejectsDifferentClasses() throws IOException {
    Path other =
        Tiny.shallow(
            shared.resolve("other-classes"),
            1.25f,
            new Head(Task.CLASSIFICATION, List.of("LABEL_0", "LABEL_2", "LABEL_1")));
    assertThatThrownBy(
            () -> train("classes", teachers(cache("classes", other, rows, 512), "weight = 1")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("class 1 is 'LABEL_2', but 'LABEL_1' in the first teacher");
  }

  @Test
  void rejectsDifferentTexts() {
    List<String> changed = new ArrayList<>(rows);
    changed.set(3, "key-3\tand in the\t0");
    assertThatThrownBy(
            () -> train("texts", teachers(cache("texts", shallow, changed, 512), "weight = 1")))
        .hasMessageContaining("1 rows of cache")
        .hasMessageContaining("have a different text in cache")
        .hasMessageContaining("(key-3)");
  }

  @Test
  void rejectsFirstTeacherAsFurtherTeacher() {
    assertThatThrownBy(() -> train("itself", teachers(first, "weight = 1")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("teacher 'b' in loss.teachers is the recipe's first teacher (cache")
        .hasMessageContaining("set another cache or teacher");
  }

  @Test
  void rejectsSameTeacherTwice() {
    String twice =
        format(
            "loss.teachers=[{ name = b, cache = \"%s\" }, { name = c, cache = \"%s/.\" }]",
            second, second);
    assertThatThrownBy(() -> train("twice", twice))
        .hasMessageContaining("teacher 'c' in loss.teachers is 'b' (cache");
  }

  @Test
  void sweepReadsSameRowsAndTargets() throws IOException {
    String teachers = teachers(second, BOTH);
    train("b", teachers);
    SweepJob.Result sweep =
        new SweepJob(
                spark,
                settings(
                    "sweeps",
                    format(
                        "sweep.students=[{ name = a }, { name = b, %s }]",
                        teachers.replaceFirst("=", " = "))))
            .run();
    assertThat(sweep.exitCode()).isZero();
    assertThat(directory.resolve("sweeps/b/model.safetensors"))
        .hasSameBinaryContentAs(directory.resolve("students/b/model.safetensors"));
    assertThat(Files.readAllBytes(directory.resolve("sweeps/a/model.safetensors")))
        .isNotEqualTo(Files.readAllBytes(directory.resolve("sweeps/b/model.safetensors")));
  }

  @Test
  void learnsFromSeveralTeachersInRounds() throws IOException {
    TrainedStudent rounds =
        train("rounds", teachers(second, BOTH), "train.workers=2", "train.round-steps=4")
            .students()
            .get(0);

    assertThat(rounds.losses().last().get("soft-label"))
        .isLessThan(rounds.losses().first().get("soft-label"));
  }

  private static String[] and(String[] some, String... more) {
    List<String> all = new ArrayList<>(List.of(some));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  private static String teachers(Path cache, String more) {
    return format("loss.teachers=[{ name = b, cache = \"%s\", %s }]", cache, more);
  }

  private List<Long> tokens(String student) throws IOException {
    List<Long> tokens = new ArrayList<>();
    for (String line :
        Files.readAllLines(
            directory.resolve("students").resolve(student).resolve("metrics.jsonl"))) {
      tokens.add(JsonParser.parseString(line).getAsJsonObject().get("tokens").getAsLong());
    }
    return tokens;
  }

  private TrainJob.Result train(String name, String... more) throws IOException {
    return new TrainJob(spark, settings("students", and(more, "student.name=" + name))).run();
  }

  private Settings settings(String students, String... more) {
    return TinyRecipe.empty()
        .cache(first)
        .student(directory.resolve(students))
        .withoutBaseline()
        .with(
            "student.layer-map=top",
            "student.hidden-size=0",
            "student.heads=0",
            "loss.hard-label.weight=1",
            "train.epochs=4",
            "train.learning-rate=1e-3")
        .settings(more);
  }

  private static CacheReader reader(Path cache) throws IOException {
    return CacheReader.open(
        STORAGE, new org.apache.hadoop.fs.Path("file:" + cache), List.of(Targets.LOGITS));
  }

  private static Path cache(
      String name, Path teacher, List<String> rows, int shardTokens, String... more)
      throws IOException {
    Path own = Files.createDirectories(shared.resolve(name));
    Path corpus = own.resolve("rows.tsv");
    Files.writeString(corpus, "id\ttext\tlabel\n" + String.join("\n", rows) + "\n");
    new CacheJob(spark, settings(own.resolve("cache"), teacher, corpus, shardTokens, more)).run();
    return own.resolve("cache");
  }

  private static Settings settings(
      Path cache, Path teacher, Path corpus, int shardTokens, String... more) {
    return TinyRecipe.labelled(corpus)
        .teacher(teacher)
        .cache(cache)
        .shardTokens(shardTokens)
        .with(
            "corpus.id=id",
            "corpus.max-invalid=0.1",
            "targets.hidden=" + (teacher.equals(Tiny.CLS) ? "[3]" : "[2]"))
        .settings(more);
  }
}
