package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the whole command. */
@Tag("spark")
class AugmentJobTest {
  private static final int ROWS = 100;

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();
  private Path rows;
  private Path out;

  @BeforeEach
  void writeRows() throws IOException {
    rows = Tiny.labelled(directory.resolve("rows.tsv"), ROWS, "1", "0");
    out = directory.resolve("out");
  }

  @Test
  void keepsEveryOriginalRow() throws IOException {
    augment(AugmentRecipes.maskedLm(rows, out));

    List<String> source = Files.readAllLines(rows);
    Map<String, Row> originals = originals();
    assertThat(originals).hasSize(ROWS);
    originals.forEach(
        (key, row) -> {
          String line = source.get(1 + Integer.parseInt(key.substring(key.indexOf(':') + 1)));
          assertThat(row.<String>getAs("text") + "\t" + row.<String>getAs("label")).isEqualTo(line);
        });
  }

  @Test
  void copiesHaveKeyAndLabelOfTheirOrigin() throws IOException {
    augment(AugmentRecipes.maskedLm(rows, out));

    Map<String, Row> originals = originals();
    assertThat(copies())
        .hasSizeGreaterThan(200)
        .allSatisfy(
            copy -> {
              String origin = copy.getAs("origin");
              assertThat(copy.<String>getAs("id"))
                  .matches("rows\\.tsv:\\d+\\+\\d+")
                  .startsWith(origin + "+");
              assertThat(copy.<String>getAs("label"))
                  .isEqualTo(originals.get(origin).<String>getAs("label"));
            });
  }

  @Test
  void copiesOfRowDiffer() throws IOException {
    augment(AugmentRecipes.maskedLm(rows, out));

    Map<String, List<String>> texts = new TreeMap<>();
    for (Row row : read(out)) {
      texts
          .computeIfAbsent(row.getAs("origin"), origin -> new ArrayList<>())
          .add(row.getAs("text"));
    }
    assertThat(texts.values()).allSatisfy(own -> assertThat(own).doesNotHaveDuplicates());
  }

  @Test
  void countsRowsAndDuplicates() throws IOException {
    AugmentJob.Result result = augment(AugmentRecipes.maskedLm(rows, out));

    long copies = copies().size();
    assertThat(result.counts().rowsIn()).isEqualTo(ROWS);
    assertThat(result.counts().rowsOut()).isEqualTo(ROWS + copies);
    assertThat(result.counts().duplicates()).isEqualTo(5L * ROWS - copies);
  }

  @Test
  void writesReportWithCountsAndSettings() throws IOException {
    AugmentJob.Result result = augment(AugmentRecipes.maskedLm(rows, out));

    JsonObject report =
        JsonParser.parseString(Files.readString(out.resolve("_augment.json"))).getAsJsonObject();
    assertThat(report.get("rowsOut").getAsLong()).isEqualTo(result.counts().rowsOut());
    assertThat(report.getAsJsonObject("settings").get("augment.copies").getAsString())
        .isEqualTo("5");
  }

  @Test
  void leavesOnlyDestination() throws IOException {
    augment(AugmentRecipes.maskedLm(rows, out));

    assertThat(Files.list(directory)).containsExactlyInAnyOrder(rows, out);
  }

  @Test
  void maskedLmWritesSameFilesForAnyPartitioning() throws IOException {
    Path other = directory.resolve("other");
    augment(AugmentRecipes.maskedLm(rows, out));
    inThreePartitions(() -> augment(AugmentRecipes.maskedLm(rows, other)));

    assertThat(parts(out)).hasSizeGreaterThan(2).isEqualTo(parts(other));
  }

  @Test
  void rulesWriteSameFilesForAnyPartitioning() throws IOException {
    Path other = directory.resolve("other");
    augment(AugmentRecipes.rules(rows, out));
    inThreePartitions(() -> augment(AugmentRecipes.rules(rows, other)));

    assertThat(parts(out)).hasSizeGreaterThan(2).isEqualTo(parts(other));
  }

  @Test
  void differentSeedGivesDifferentCopies() throws IOException {
    Path other = directory.resolve("other");
    augment(AugmentRecipes.maskedLm(rows, out));
    augment(AugmentRecipes.maskedLm(rows, other, "augment.seed=43"));

    assertThat(texts(other)).isNotEqualTo(texts(out));
  }

  @Test
  void returnsSettingsForAugmentedCorpus() throws IOException {
    AugmentJob.Result result = augment(AugmentRecipes.maskedLm(rows, out, "corpus.limit=30"));

    assertThat(result.next())
        .containsExactly(
            "corpus.path=" + out,
            "corpus.text=text",
            "corpus.label=label",
            "corpus.id=id",
            "corpus.format=parquet",
            "corpus.limit=0");
  }

  @Test
  void returnedSettingsKeepSegmentingProse() throws IOException {
    Path lines = Tiny.lines(directory.resolve("lines.txt"), 20);
    AugmentJob.Result result =
        augment(
            List.of(
                "corpus.path=" + lines,
                "augment.kind=rules",
                "augment.copies=2",
                "augment.to=" + out));

    assertThat(result.next())
        .containsExactly(
            "corpus.path=" + out,
            "corpus.text=text",
            "corpus.id=id",
            "corpus.format=parquet",
            "corpus.segment=windows");
  }

  @Test
  void cacheOfAugmentedCorpusHasKeysOfAllOrigins() throws IOException {
    AugmentJob.Result result = augment(AugmentRecipes.maskedLm(rows, out, "corpus.limit=30"));
    Path cache = directory.resolve("cache");
    List<String> recipe =
        new ArrayList<>(
            List.of("teacher.path=" + Tiny.CLS, "corpus.max-length=40", "cache.path=" + cache));
    recipe.addAll(result.next());

    CacheRecord cached = new CacheJob(spark, Tiny.settings(recipe)).run();

    assertThat(cached.rows()).isEqualTo(result.counts().rowsOut());
    List<String> origins =
        spark
            .read()
            .parquet(cache.resolve("inputs").toString())
            .select("id")
            .collectAsList()
            .stream()
            .map(row -> row.getString(0).replaceAll("\\+\\d+$", ""))
            .distinct()
            .sorted()
            .toList();
    assertThat(origins)
        .hasSize(30)
        .isEqualTo(IntStream.range(0, 30).mapToObj(i -> "rows.tsv:" + i).sorted().toList());
  }

  @Test
  void writesBothTextsOfPairs() throws IOException {
    StringBuilder table = new StringBuilder("text\tpair\tlabel\n");
    for (int row = 0; row < 8; row++) {
      table.append("he not ").append(row).append("\thad were\t1\n");
    }
    Path pairs = Files.writeString(directory.resolve("pairs.tsv"), table);

    augment(
        AugmentRecipes.maskedLm(pairs, out, "corpus.pair=pair", "augment.replace-probability=1"));

    assertThat(read(out))
        .hasSizeGreaterThan(10)
        .allSatisfy(
            row -> {
              boolean copy = !isOriginal(row);
              assertThat(row.<String>getAs("text").contains("he not")).isEqualTo(!copy);
              assertThat(row.<String>getAs("pair").contains("had were")).isEqualTo(!copy);
            });
  }

  @Test
  void rulesWriteChangedTextsOfPairsInTurn() throws IOException {
    Path pairs =
        Files.writeString(
            directory.resolve("pairs.tsv"), "text\tpair\tlabel\nhe not 0\thad were\t1\n");

    augment(
        AugmentRecipes.rules(
            pairs,
            out,
            "corpus.pair=pair",
            "augment.mask-probability=1",
            "augment.pos-probability=0",
            "augment.ngram-probability=0"));

    assertThat(
            read(out).stream()
                .map(row -> row.getAs("id") + "|" + row.getAs("text") + "|" + row.getAs("pair")))
        .containsExactlyInAnyOrder(
            "pairs.tsv:0+0|he not 0|had were",
            "pairs.tsv:0+1|[MASK] [MASK] [MASK]|had were",
            "pairs.tsv:0+2|he not 0|[MASK] [MASK]",
            "pairs.tsv:0+3|[MASK] [MASK] [MASK]|[MASK] [MASK]");
  }

  @Test
  void skipsAndCountsBlankAndNonUtf8Rows() throws IOException {
    byte[] table = "text\tlabel\n \t1\nhe?\t1\nhe had\t1\n".getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < table.length; i++) {
      table[i] = table[i] == '?' ? (byte) 0xff : table[i];
    }
    Files.write(rows, table);

    AugmentJob.Result result = augment(AugmentRecipes.rules(rows, out, "corpus.max-invalid=0.7"));

    assertThat(result.leftOut())
        .contains(
            "left out 2 of 3 rows: empty (1, such as row 'rows.tsv:0'), not UTF-8 (1, such as row"
                + " 'rows.tsv:1')");
    assertThat(result.counts().rowsIn()).isEqualTo(3);
    assertThat(result.counts().leftOut()).isEqualTo(2);
    assertThat(read(out)).extracting(row -> row.<String>getAs("origin")).containsOnly("rows.tsv:2");
  }

  @Test
  void omitsOriginalsOnRequest() throws IOException {
    AugmentJob.Result result =
        augment(AugmentRecipes.rules(rows, out, "augment.keep-original=false"));

    assertThat(read(out))
        .hasSize((int) result.counts().rowsOut())
        .noneMatch(AugmentJobTest::isOriginal);
  }

  @Test
  void writesNothingIfNoRowHasText() throws IOException {
    Files.writeString(rows, "text\tlabel\n \t1\n");

    assertThatThrownBy(() -> augment(AugmentRecipes.rules(rows, out)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has text to augment ({empty=1}); name files with text");
    assertThat(Files.list(directory)).containsExactly(rows);
  }

  private interface Action {
    void run() throws IOException;
  }

  private void inThreePartitions(Action action) throws IOException {
    String cut = spark.conf().get("spark.sql.files.maxPartitionBytes");
    String open = spark.conf().get("spark.sql.files.openCostInBytes");
    spark.conf().set("spark.sql.files.maxPartitionBytes", Files.size(rows) / 3 + 1);
    spark.conf().set("spark.sql.files.openCostInBytes", 1);
    try {
      action.run();
    } finally {
      spark.conf().set("spark.sql.files.maxPartitionBytes", cut);
      spark.conf().set("spark.sql.files.openCostInBytes", open);
    }
  }

  private AugmentJob.Result augment(List<String> settings) throws IOException {
    return new AugmentJob(spark, Tiny.settings(settings)).run();
  }

  private List<Row> read(Path of) {
    return spark.read().parquet(of.toString()).collectAsList();
  }

  private static boolean isOriginal(Row row) {
    return row.<String>getAs("id").endsWith("+0");
  }

  /** Returns the original rows by their keys. */
  private Map<String, Row> originals() {
    Map<String, Row> originals = new TreeMap<>();
    read(out).stream()
        .filter(AugmentJobTest::isOriginal)
        .forEach(row -> originals.put(row.getAs("origin"), row));
    return originals;
  }

  private List<Row> copies() {
    return read(out).stream().filter(row -> !isOriginal(row)).toList();
  }

  private List<String> texts(Path of) {
    return read(of).stream().map(row -> row.<String>getAs("text")).sorted().distinct().toList();
  }

  /** Returns the rows of each file, in order, by its name. */
  private Map<String, List<Row>> parts(Path of) throws IOException {
    Map<String, List<Row>> parts = new TreeMap<>();
    for (String name : Tiny.files(of).keySet()) {
      if (name.endsWith(".parquet")) {
        parts.put(name, read(of.resolve(name)));
      }
    }
    return parts;
  }
}
