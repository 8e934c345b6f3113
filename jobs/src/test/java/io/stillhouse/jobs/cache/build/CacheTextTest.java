package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests which text of a corpus a cache stores. */
@Tag("spark")
class CacheTextTest {
  private static final List<String> PROSE = prose();

  @TempDir private static Path directory;

  private static SparkSession spark;
  private static Path proseFile;
  private static Path prose;
  private static CacheRecord proseRecord;
  private static Path masked;
  private static CacheRecord maskedRecord;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    proseFile = Files.writeString(directory.resolve("prose.txt"), String.join("\n", PROSE));
    prose = directory.resolve("prose");
    proseRecord = cacheProse(prose);
    masked = directory.resolve("masked");
    Settings settings =
        TinyRecipe.text(Tiny.lines(directory.resolve("lines.txt"), 60))
            .cache(masked)
            .shardTokens(512)
            .settings(
                "targets.mask-probability=0.3", "targets.mask-variants=3", "targets.dtype=float32");
    maskedRecord = new CacheJob(spark, settings).run();
  }

  private static List<String> prose() {
    Random random = new Random(3);
    List<String> lines = new ArrayList<>();
    lines.add(Tiny.words(random, 700));
    lines.addAll(Arrays.asList("the of and ,", "", "the of and ,", "   ", "the of and ,"));
    lines.add("abc".repeat(300));
    lines.add("  " + Tiny.words(random, 90) + "\t" + Tiny.words(random, 60) + "  ");
    lines.addAll(IntStream.range(0, 20).mapToObj(i -> "he was . not ! here").toList());
    return lines;
  }

  private static CacheRecord cacheProse(Path to) throws IOException {
    Settings settings =
        TinyRecipe.text(proseFile)
            .cache(to)
            .shardTokens(512)
            .settings("corpus.max-length=24", "targets.dtype=float32");
    return new CacheJob(spark, settings).run();
  }

  @Test
  void piecesOfProseHaveUniqueKeys() throws IOException {
    assertThat(CacheRows.inputs(prose)).extracting(InputRow::id).doesNotHaveDuplicates();
  }

  @Test
  void piecesOfProseFitMaximumLength() throws IOException {
    assertThat(CacheRows.inputs(prose)).allMatch(row -> row.length() <= 24);
  }

  @Test
  void piecesOfProseContainAllText() throws IOException {
    Map<Integer, TreeMap<Integer, String>> pieces = new TreeMap<>();
    for (InputRow row : CacheRows.inputs(prose)) {
      String[] key = row.id().substring(row.id().indexOf(':') + 1).split("#", -1);
      pieces
          .computeIfAbsent(Integer.valueOf(key[0]), line -> new TreeMap<>())
          .put(Integer.valueOf(key[1]), row.text());
    }

    for (int line = 0; line < PROSE.size(); line++) {
      String joined = String.join("", pieces.getOrDefault(line, new TreeMap<>()).values());
      String original = PROSE.get(line);
      assertThat(joined).as("line %d", line).isEqualTo(original.isBlank() ? "" : original);
    }
    assertThat(pieces.get(0)).hasSizeGreaterThan(30);
  }

  @Test
  void countsBlankLinesOfProse() {
    assertThat(proseRecord.blankRows()).isEqualTo(2);
  }

  @Test
  void splitsProseDeterministically() throws IOException {
    Path again = directory.resolve("again");
    cacheProse(again);

    assertThat(CacheRows.inputs(again))
        .usingRecursiveComparison()
        .isEqualTo(CacheRows.inputs(prose));
  }

  @Test
  void masksEachRowInSeveralVariants() throws IOException {
    List<List<InputRow>> variants = variants();

    assertThat(maskedRecord.rows()).isEqualTo(180);
    assertThat(variants).hasSize(60).allSatisfy(row -> assertThat(row).hasSize(3));
    assertThat(variants)
        .filteredOn(row -> !Arrays.equals(row.get(0).mlmLabels(), row.get(1).mlmLabels()))
        .hasSizeGreaterThan(40);
  }

  @Test
  void maskedRowsHaveOriginalTokensAsLabels() throws IOException {
    for (List<InputRow> variants : variants()) {
      List<int[]> originals = variants.stream().map(CacheTextTest::original).toList();
      assertThat(originals.get(1)).isEqualTo(originals.get(0));
      assertThat(originals.get(2)).isEqualTo(originals.get(0));
    }
  }

  @Test
  void masksGivenShareOfWords() throws IOException {
    for (InputRow row : CacheRows.inputs(masked)) {
      long labels = Arrays.stream(row.mlmLabels()).filter(label -> label != -100).count();
      long words = row.length() - 2L;
      assertThat(row.mlmLabels()[0]).isEqualTo(-100);
      assertThat(row.mlmLabels()[row.length() - 1]).isEqualTo(-100);
      assertThat(labels).isEqualTo(Math.max(1, Math.round(0.3 * words)));
    }
  }

  @Test
  void storesLastHiddenStateForDerivedSoftLabels() throws IOException {
    assertThat(CacheRows.rows(masked, List.of(Targets.hidden(3)))).hasSize(180);
  }

  /** Returns the masked variants of each row. */
  private static List<List<InputRow>> variants() throws IOException {
    Map<String, List<InputRow>> variants = new TreeMap<>();
    for (InputRow row : CacheRows.inputs(masked)) {
      assertThat(row.id()).matches("lines\\.txt:\\d+#0~[012]");
      variants
          .computeIfAbsent(row.id().substring(0, row.id().indexOf('~')), id -> new ArrayList<>())
          .add(row);
    }
    return List.copyOf(variants.values());
  }

  private static int[] original(InputRow row) {
    return IntStream.range(0, row.length())
        .map(t -> row.mlmLabels()[t] == -100 ? row.inputIds()[t] : row.mlmLabels()[t])
        .toArray();
  }
}
