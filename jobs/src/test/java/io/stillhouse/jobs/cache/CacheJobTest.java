package io.stillhouse.jobs.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Dropout;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class CacheJobTest {
  private static final int ROWS = 120;
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static Path cache;
  private static CacheJob.Result first;
  private static NDManager manager;
  private static Encoder teacher;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), ROWS, "LABEL_2", "0");
    cache = shared.resolve("cache");
    first = run(settings(cache, "targets.hidden=[0,3]", "targets.attention=[2]"));
    manager = NDManager.newBaseManager();
    Autograd.record(Autograd.Mode.OFF);
    HuggingFaceDirectory opened = HuggingFaceDirectory.open(Tiny.CLS);
    teacher = new Encoder(opened.spec(), opened.weights(manager));
  }

  @AfterAll
  static void freesTheTeacher() {
    manager.close();
  }

  @Test
  void theManifestHasARowForEachRowOfTheCorpus() throws IOException {
    Map<String, Integer> rows = new TreeMap<>();
    for (CacheFile file : Manifest.read(STORAGE, hadoop(cache)).files()) {
      rows.merge(file.family(), file.size().rows(), Integer::sum);
      new CheckedFile(STORAGE, hadoop(cache), file).verify();
    }
    assertThat(rows)
        .isEqualTo(Map.of("inputs", ROWS, "logits", ROWS, "hidden", ROWS, "attention", ROWS));
    assertThat(first.rows()).isEqualTo(ROWS);
    assertThat(first.units()).isGreaterThan(3).isEqualTo(first.computedUnits());
  }

  @Test
  void hiddenCellsAreTheForwardPassOfEachRowAlone() {
    Map<String, Row> inputs = byId(cache, "inputs");
    Map<String, Row> hidden = byId(cache, "hidden");
    assertThat(hidden.keySet()).isEqualTo(inputs.keySet()).hasSize(ROWS);
    hidden.forEach(
        (id, row) -> {
          int length = row.<Integer>getAs("length");
          EncoderOutput alone = alone(inputs.get(id));
          for (int layer : new int[] {0, 3}) {
            float[] cell = floats(row.getAs("hidden_0" + layer));
            assertThat(cell).as(id).hasSize(length * Tiny.WIDTH);
            assertThat(difference(cell, alone.hidden(layer).toFloatArray())).isLessThan(1e-5);
          }
        });
  }

  @Test
  void attentionCellsHaveNoPadding() {
    Map<String, Row> inputs = byId(cache, "inputs");
    Map<String, Row> attention = byId(cache, "attention");
    assertThat(attention).hasSize(ROWS);
    attention.forEach(
        (id, row) -> {
          int length = row.<Integer>getAs("length");
          float[] cell = floats(row.getAs("attention_02"));
          assertThat(cell).as(id).hasSize(Tiny.HEADS * length * length);
          assertThat(difference(cell, alone(inputs.get(id)).scores(2).toFloatArray()))
              .isLessThan(1e-5);
        });
  }

  @Test
  void logitsAreTheTeachers() {
    Map<String, Row> inputs = byId(cache, "inputs");
    byId(cache, "logits")
        .forEach(
            (id, row) -> {
              float[] cell = floats(row.getAs("logits"));
              assertThat(cell).hasSize(3);
              assertThat(difference(cell, alone(inputs.get(id)).logits().toFloatArray()))
                  .isLessThan(1e-5);
            });
  }

  @Test
  void labelsAreClassIdsWhetherNamedOrNumbered() {
    byId(cache, "inputs")
        .forEach(
            (id, row) ->
                assertThat(row.<Double>getAs("label"))
                    .isEqualTo(row.<String>getAs("text").startsWith("he ") ? 2.0 : 0.0));
  }

  @Test
  void halfPrecisionCellsAreTheFloatsRounded() throws IOException {
    Path half = directory.resolve("half");
    run(settings(half, "targets.hidden=[3]", "targets.dtype=float16"));
    Map<String, Row> whole = byId(cache, "hidden");
    Map<String, Row> rounded = byId(half, "hidden");
    assertThat(rounded.keySet()).isEqualTo(whole.keySet());
    rounded.forEach(
        (id, row) -> {
          float[] cell = halves(row.getAs("hidden_03"));
          float[] exact = floats(whole.get(id).getAs("hidden_03"));
          assertThat(cell).hasSize(row.<Integer>getAs("length") * Tiny.WIDTH);
          for (int i = 0; i < cell.length; i++) {
            // Half a unit in the last of 11 bits, and what float32 sums may differ by.
            assertThat((double) Math.abs(cell[i] - exact[i]))
                .isLessThanOrEqualTo(Math.abs(exact[i]) / 2048 + 1e-5);
          }
        });
    assertThat(
            ParquetRows.metadata(
                new org.apache.hadoop.fs.Path(parquet(half, "hidden").get(0).toUri()),
                STORAGE.hadoop()))
        .containsEntry(Targets.META_DTYPE + ".hidden_03", "float16")
        .containsEntry(Targets.META_SHAPE, "[length, 32]");
  }

  @Test
  void aSecondRunComputesNothingAndChangesNoFile() throws IOException {
    Path copy = copyOfTheCache();
    Map<String, byte[]> before = Tiny.files(copy);
    CacheJob.Result again = run(settings(copy, "targets.hidden=[0,3]", "targets.attention=[2]"));
    assertThat(again.computedUnits()).isZero();
    assertThat(again.rows()).isEqualTo(ROWS);
    assertSame(Tiny.files(copy), before);
  }

  @Test
  void anAddedLayerIsComputedAlone() throws IOException {
    Path copy = copyOfTheCache();
    Map<String, byte[]> before = Tiny.files(copy);
    CacheJob.Result again = run(settings(copy, "targets.hidden=[0,1,3]", "targets.attention=[2]"));
    assertThat(again.computedUnits()).isEqualTo(first.units());
    Map<String, byte[]> after = Tiny.files(copy);
    before.remove("cache.json");
    before.remove(".cache.json.crc");
    before.forEach((name, bytes) -> assertThat(after.get(name)).as(name).isEqualTo(bytes));
    List<Path> added =
        after.keySet().stream()
            .filter(name -> name.endsWith(".parquet") && !before.containsKey(name))
            .map(copy::resolve)
            .toList();
    assertThat(added).hasSize(first.units());
    for (Path file : added) {
      assertThat(spark.read().parquet(file.toString()).columns())
          .containsExactly("id", "length", "hidden_01");
    }
    List<Column> columns = List.of(Targets.hidden(0), Targets.hidden(1), Targets.hidden(3));
    for (Example row : rows(copy, columns)) {
      EncoderOutput alone = alone(row.inputs().inputIds(), row.inputs().typeIds());
      assertThat(difference(floats(row.cell(columns.get(1))), alone.hidden(1).toFloatArray()))
          .isLessThan(1e-5);
    }
  }

  @Test
  void anotherMaximumLengthIsRefusedByName() throws IOException {
    Path copy = copyOfTheCache();
    Map<String, byte[]> before = Tiny.files(copy);
    assertThatThrownBy(() -> run(settings(copy, "targets.hidden=[0,3]", "corpus.max-length=20")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("corpus.max-length = 40, this recipe has 20")
        .hasMessageContaining("another cache.path");
    assertSame(Tiny.files(copy), before);
  }

  @Test
  void bfloat16IsSoundTheSameBitsTwiceAndRefusedByAFloat32Recipe() throws IOException {
    assumeThat(Files.readString(Path.of("/proc/cpuinfo"))).contains("_bf16");
    List<Path> caches = List.of(directory.resolve("one"), directory.resolve("two"));
    for (Path own : caches) {
      run(settings(own, "targets.hidden=[0,3]", "cache.precision=bfloat16"));
    }

    Map<String, Row> one = byId(caches.get(0), "hidden");
    byId(caches.get(1), "hidden")
        .forEach(
            (id, row) ->
                assertThat(row.<byte[]>getAs("hidden_03"))
                    .isEqualTo(one.get(id).getAs("hidden_03")));
    VerifyJob.Result result =
        new VerifyJob(spark, Tiny.settings(List.of()), caches.get(0).toString()).run();
    assertThat(result.sound()).as("%s", result.lines()).isTrue();
    assertThat(result.fidelity().get("hidden_00").fromFloat32()).isLessThan(1e-5);
    assertThat(result.fidelity().get("hidden_03").fromFloat32()).isBetween(1e-4, 2e-2);
    assertThatThrownBy(() -> run(settings(caches.get(0), "targets.hidden=[0,3]")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cache.precision = bfloat16, this recipe has float32");
  }

  @Test
  void anotherCorpusIsRefused() throws IOException {
    Path other = Tiny.labelled(directory.resolve("other.tsv"), 3, "1", "0");
    assertThatThrownBy(() -> run(settings(cache, "corpus.path=" + other)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("file 'rows.tsv' of the corpus of cache")
        .hasMessageContaining("is not in this recipe's corpus.path")
        .hasMessageContaining("a cache grows by new files named beside the old ones");
  }

  @Test
  void unitsLostFromTheManifestAreComputedAgainToTheSameBits() throws IOException {
    Path copy = copyOfTheCache();
    List<Column> columns =
        List.of(Targets.LOGITS, Targets.hidden(0), Targets.hidden(3), Targets.attention(2));
    List<Example> before = rows(copy, columns);
    List<Path> entries;
    try (var files = Files.list(copy.resolve("manifest"))) {
      entries = files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
    assertThat(entries).hasSize(1 + first.units());
    for (Path entry : entries.subList(entries.size() - 2, entries.size())) {
      Files.delete(entry);
    }
    CacheJob.Result again = run(settings(copy, "targets.hidden=[0,3]", "targets.attention=[2]"));
    assertThat(again.computedUnits()).isEqualTo(2);
    assertThat(parquet(copy, "hidden")).hasSize(first.units() + 2);
    List<Example> after = rows(copy, columns);
    assertThat(after).hasSameSizeAs(before);
    for (int row = 0; row < after.size(); row++) {
      assertThat(after.get(row).id()).isEqualTo(before.get(row).id());
      for (Column column : columns) {
        assertThat(after.get(row).cell(column)).isEqualTo(before.get(row).cell(column));
      }
    }
  }

  @Test
  void thePlanDoesNotDependOnHowSparkCutsTheCorpus() throws IOException {
    Path other = directory.resolve("pieces");
    spark.conf().set("spark.sql.files.maxPartitionBytes", "700");
    try {
      run(settings(other, "targets.hidden=[0,3]", "targets.attention=[2]"));
    } finally {
      spark.conf().unset("spark.sql.files.maxPartitionBytes");
    }
    Plan plan = Plan.read(STORAGE, hadoop(cache));
    Plan again = Plan.read(STORAGE, hadoop(other));
    assertThat(again.units()).isEqualTo(plan.units());
    assertThat(again.fingerprints()).isEqualTo(plan.fingerprints());
    assertThat(again.inputs())
        .extracting(CacheFile::hashes)
        .isEqualTo(plan.inputs().stream().map(CacheFile::hashes).toList());
    for (int unit = 0; unit < plan.units().size(); unit++) {
      assertThat(reader(other, List.of()).inputs(unit))
          .usingRecursiveComparison()
          .isEqualTo(reader(cache, List.of()).inputs(unit));
    }
    CacheDiff.Result diff = CacheDiff.compare(cache.toString(), other.toString());
    assertThat(diff.equal()).as(diff.words()).isTrue();
    assertThat(diff.words()).contains("120 identical row keys");
  }

  @Test
  void diffNoticesAnotherTeacher() throws IOException {
    Path other = directory.resolve("regression");
    run(settings(other, "teacher.path=" + Tiny.REG, "corpus.label=", "targets.hidden=[0,3]"));
    Path same = directory.resolve("classes");
    run(settings(same, "targets.hidden=[0,3]"));
    CacheDiff.Result diff = CacheDiff.compare(same.toString(), other.toString());
    assertThat(diff.equal()).as(diff.words()).isFalse();
  }

  @Test
  void proseLosesNoTextAndEveryPieceHasItsOwnKey() throws IOException {
    Random random = new Random(3);
    List<String> lines = new ArrayList<>();
    lines.add(Tiny.words(random, 700));
    lines.addAll(Arrays.asList("the of and ,", "", "the of and ,", "   ", "the of and ,"));
    lines.add("abc".repeat(300));
    lines.add("  " + Tiny.words(random, 90) + "\t" + Tiny.words(random, 60) + "  ");
    lines.addAll(IntStream.range(0, 20).mapToObj(i -> "he was . not ! here").toList());
    Path prose = Files.writeString(directory.resolve("prose.txt"), String.join("\n", lines));
    List<String> recipe =
        List.of(
            "teacher.path=" + Tiny.MLM,
            "corpus.path=" + prose,
            "corpus.max-length=24",
            "cache.unit-tokens=512",
            "targets.dtype=float32");
    Path one = directory.resolve("one");
    CacheJob.Result result = run(Tiny.settings(recipe, "cache.path=" + one));
    assertThat(result.blankRows()).isEqualTo(2);
    List<InputRow> rows = inputs(one);
    assertThat(rows).extracting(InputRow::id).doesNotHaveDuplicates();
    assertThat(rows).allMatch(row -> row.length() <= 24);
    Map<Integer, TreeMap<Integer, String>> pieces = new TreeMap<>();
    for (InputRow row : rows) {
      String[] key = row.id().substring(row.id().indexOf(':') + 1).split("#", -1);
      pieces
          .computeIfAbsent(Integer.valueOf(key[0]), line -> new TreeMap<>())
          .put(Integer.valueOf(key[1]), row.text());
    }
    for (int line = 0; line < lines.size(); line++) {
      String joined = String.join("", pieces.getOrDefault(line, new TreeMap<>()).values());
      assertThat(joined)
          .as("line %d", line)
          .isEqualTo(lines.get(line).isBlank() ? "" : lines.get(line));
    }
    assertThat(pieces.get(0)).hasSizeGreaterThan(30);
    Path two = directory.resolve("two");
    run(Tiny.settings(recipe, "cache.path=" + two));
    assertThat(inputs(two)).usingRecursiveComparison().isEqualTo(rows);
  }

  @Test
  void maskedRowsCarryTheirOriginalTokensAsLabels() throws IOException {
    Path text = Tiny.lines(directory.resolve("lines.txt"), 60);
    List<String> recipe =
        List.of(
            "teacher.path=" + Tiny.MLM,
            "corpus.path=" + text,
            "corpus.max-length=40",
            "cache.unit-tokens=512",
            "targets.mask-probability=0.3",
            "targets.dtype=float32");
    Path masked = directory.resolve("masked");
    CacheJob.Result result =
        run(Tiny.settings(recipe, "cache.path=" + masked, "targets.mask-variants=3"));
    assertThat(result.rows()).isEqualTo(180);
    Map<String, List<InputRow>> byText = new HashMap<>();
    for (InputRow row : inputs(masked)) {
      assertThat(row.id()).matches("lines\\.txt:\\d+#0~[012]");
      byText
          .computeIfAbsent(row.id().substring(0, row.id().indexOf('~')), id -> new ArrayList<>())
          .add(row);
    }
    int differing = 0;
    for (List<InputRow> variants : byText.values()) {
      assertThat(variants).hasSize(3);
      List<int[]> originals = variants.stream().map(CacheJobTest::original).toList();
      assertThat(originals.get(1)).isEqualTo(originals.get(0));
      assertThat(originals.get(2)).isEqualTo(originals.get(0));
      for (InputRow row : variants) {
        long labels = Arrays.stream(row.mlmLabels()).filter(label -> label != -100).count();
        long words = row.length() - 2L;
        assertThat(row.mlmLabels()[0]).isEqualTo(-100);
        assertThat(row.mlmLabels()[row.length() - 1]).isEqualTo(-100);
        assertThat(labels).isEqualTo(Math.max(1, Math.round(0.3 * words)));
      }
      differing += Arrays.equals(variants.get(0).mlmLabels(), variants.get(1).mlmLabels()) ? 0 : 1;
    }
    assertThat(differing).isGreaterThan(40);
    // Derived masked-LM soft labels need the last hidden state, which nobody has to name.
    assertThat(rows(masked, List.of(Targets.hidden(3)))).hasSize(180);
  }

  @Test
  void whatACrashedPlanningLeftIsNotUsed() throws IOException {
    Path broken = directory.resolve("broken");
    FileUtils.copyDirectory(
        Tiny.REG.toFile(), directory.resolve("_broken-planning-0a1b2c3d/teacher").toFile());
    run(settings(broken, "targets.hidden=[0,3]", "targets.attention=[2]"));
    CacheDiff.Result diff = CacheDiff.compare(cache.toString(), broken.toString());
    assertThat(diff.equal()).as(diff.words()).isTrue();
    assertThat(directory.resolve("_broken-planning-0a1b2c3d")).doesNotExist();
  }

  @Test
  void aDirectoryThatIsNoCacheIsNotWrittenInto() throws IOException {
    Path mine = Files.createDirectories(directory.resolve("mine"));
    Files.writeString(mine.resolve("precious"), "text");
    assertThatThrownBy(() -> run(settings(mine, "targets.hidden=[3]")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("mine' exists but is not a cache: it has no plan.json")
        .hasMessageContaining("name a path that does not exist yet");
    assertThat(Tiny.files(mine).keySet()).containsExactly("precious");
  }

  private static CacheJob.Result run(Settings settings) throws IOException {
    return new CacheJob(spark, settings).run();
  }

  private static Settings settings(Path cache, String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "teacher.path=" + Tiny.CLS,
                "corpus.path=" + corpus,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40",
                "cache.path=" + cache,
                "cache.unit-tokens=400",
                "cache.tokens-per-batch=128",
                "targets.scores=stored",
                "targets.dtype=float32"));
    return Tiny.settings(all, more);
  }

  private Path copyOfTheCache() throws IOException {
    Path copy = directory.resolve("copy");
    FileUtils.copyDirectory(cache.toFile(), copy.toFile());
    return copy;
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path(path.toUri());
  }

  private static CacheReader reader(Path cache, List<Column> columns) throws IOException {
    return CacheReader.open(STORAGE, hadoop(cache), columns);
  }

  private static List<Example> rows(Path cache, List<Column> columns) throws IOException {
    CacheReader reader = reader(cache, columns);
    List<Example> rows = new ArrayList<>();
    for (int unit = 0; unit < reader.unitRows().size(); unit++) {
      rows.addAll(reader.read(unit));
    }
    return rows;
  }

  private static List<InputRow> inputs(Path cache) throws IOException {
    CacheReader reader = reader(cache, List.of());
    List<InputRow> rows = new ArrayList<>();
    for (int unit = 0; unit < reader.unitRows().size(); unit++) {
      rows.addAll(reader.inputs(unit));
    }
    return rows;
  }

  private static Map<String, Row> byId(Path cache, String family) {
    return spark.read().parquet(cache.resolve(family).toString()).collectAsList().stream()
        .collect(Collectors.toMap(row -> row.<String>getAs("id"), row -> row));
  }

  private static List<Path> parquet(Path cache, String family) throws IOException {
    try (var files = Files.list(cache.resolve(family))) {
      return files.filter(file -> file.toString().endsWith(".parquet")).toList();
    }
  }

  private static EncoderOutput alone(Row inputs) {
    return alone(ints(inputs.getAs("input_ids")), ints(inputs.getAs("token_type_ids")));
  }

  private static EncoderOutput alone(int[] ids, int[] types) {
    return teacher.forward(
        Batch.of(manager, List.of(ids), List.of(types)),
        Capture.everything(Tiny.LAYERS),
        Dropout.NONE);
  }

  private static int[] original(InputRow row) {
    return IntStream.range(0, row.length())
        .map(t -> row.mlmLabels()[t] == -100 ? row.inputIds()[t] : row.mlmLabels()[t])
        .toArray();
  }

  private static int[] ints(byte[] cell) {
    int[] numbers = new int[cell.length / 4];
    ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(numbers);
    return numbers;
  }

  private static float[] floats(byte[] cell) {
    assertThat(cell.length % 4).isZero();
    float[] numbers = new float[cell.length / 4];
    ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(numbers);
    return numbers;
  }

  /** Reads IEEE half precision: sign, 5 bits of exponent, 10 of fraction. */
  private static float[] halves(byte[] cell) {
    assertThat(cell.length % 2).isZero();
    float[] numbers = new float[cell.length / 2];
    for (int i = 0; i < numbers.length; i++) {
      int bits = (cell[2 * i] & 0xff) | (cell[2 * i + 1] & 0xff) << 8;
      int exponent = bits >> 10 & 31;
      double size =
          exponent == 0
              ? (bits & 1023) * 0x1p-24
              : (1 + (bits & 1023) / 1024.0) * Math.pow(2, exponent - 15);
      numbers[i] = (float) (bits >> 15 == 0 ? size : -size);
    }
    return numbers;
  }

  /** Returns the norm of the difference over the norm of the reference. */
  private static double difference(float[] found, float[] reference) {
    assertThat(found).hasSameSizeAs(reference);
    double squares = 0;
    double norm = 0;
    for (int i = 0; i < found.length; i++) {
      squares += Math.pow((double) found[i] - reference[i], 2);
      norm += (double) reference[i] * reference[i];
    }
    return Math.sqrt(squares / norm);
  }

  private static void assertSame(Map<String, byte[]> after, Map<String, byte[]> before) {
    assertThat(after.keySet()).isEqualTo(before.keySet());
    before.forEach((name, bytes) -> assertThat(after.get(name)).as(name).isEqualTo(bytes));
  }
}
