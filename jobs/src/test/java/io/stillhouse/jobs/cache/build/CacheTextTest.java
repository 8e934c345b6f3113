package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests which text of a corpus a cache stores. */
@Tag("spark")
class CacheTextTest {
  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void keepsAllProseInPiecesWithUniqueKeys() throws IOException {
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
            "cache.shard-tokens=512",
            "targets.dtype=float32");
    Path one = directory.resolve("one");
    CacheRecord result = run(Tiny.settings(recipe, "cache.path=" + one));
    assertThat(result.blankRows()).isEqualTo(2);
    List<InputRow> rows = CacheRows.inputs(one);
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
    assertThat(CacheRows.inputs(two)).usingRecursiveComparison().isEqualTo(rows);
  }

  @Test
  void maskedRowsHaveOriginalTokensAsLabels() throws IOException {
    Path text = Tiny.lines(directory.resolve("lines.txt"), 60);
    List<String> recipe =
        List.of(
            "teacher.path=" + Tiny.MLM,
            "corpus.path=" + text,
            "corpus.max-length=40",
            "cache.shard-tokens=512",
            "targets.mask-probability=0.3",
            "targets.dtype=float32");
    Path masked = directory.resolve("masked");
    CacheRecord result =
        run(Tiny.settings(recipe, "cache.path=" + masked, "targets.mask-variants=3"));
    assertThat(result.rows()).isEqualTo(180);
    Map<String, List<InputRow>> byText = new HashMap<>();
    for (InputRow row : CacheRows.inputs(masked)) {
      assertThat(row.id()).matches("lines\\.txt:\\d+#0~[012]");
      byText
          .computeIfAbsent(row.id().substring(0, row.id().indexOf('~')), id -> new ArrayList<>())
          .add(row);
    }
    int differing = 0;
    for (List<InputRow> variants : byText.values()) {
      assertThat(variants).hasSize(3);
      List<int[]> originals = variants.stream().map(CacheTextTest::original).toList();
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
    // Derived masked-LM soft labels need the last hidden state, which is stored implicitly.
    assertThat(CacheRows.rows(masked, List.of(Targets.hidden(3)))).hasSize(180);
  }

  private CacheRecord run(Settings settings) throws IOException {
    return new CacheJob(spark, settings).run();
  }

  private static int[] original(InputRow row) {
    return IntStream.range(0, row.length())
        .map(t -> row.mlmLabels()[t] == -100 ? row.inputIds()[t] : row.mlmLabels()[t])
        .toArray();
  }
}
