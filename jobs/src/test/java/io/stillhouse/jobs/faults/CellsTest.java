package io.stillhouse.jobs.faults;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks that the comparison of the fault harness finds lost, duplicated and different cells. */
@Tag("spark")
class CellsTest {
  private static final int ROWS = 40;

  /** A row has nine cells of inputs and three of targets. */
  private static final int COLUMNS = 12;

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static Path whole;
  private Path copy;

  @BeforeAll
  static void writeCache() throws IOException {
    Path corpus = Tiny.labelled(shared.resolve("rows.tsv"), ROWS, "LABEL_2", "LABEL_0");
    whole = cache(corpus, Tiny.CLS, shared.resolve("whole"));
  }

  @BeforeEach
  void copyCache() throws IOException {
    copy = directory.resolve("cache");
    Tiny.copy(whole, copy);
  }

  @Test
  void copyHasNoDifferences() throws IOException {
    assertThat(compared()).isEqualTo(new Cells.Difference(ROWS * COLUMNS, 0, 0, 0));
    assertThat(compared().none()).isTrue();
  }

  @Test
  void countsCellsWithoutManifestEntryAsLost() throws IOException {
    int rows =
        lastEntry()
            .get("files")
            .getAsJsonArray()
            .get(0)
            .getAsJsonObject()
            .getAsJsonObject("size")
            .get("rows")
            .getAsInt();
    Files.delete(lastEntryPath());
    assertThat(compared()).isEqualTo(new Cells.Difference(ROWS * COLUMNS, 3 * rows, 0, 0));
  }

  @Test
  void countsCellsInTwoFilesAsDuplicated() throws IOException {
    JsonObject entry = lastEntry();
    JsonArray files = entry.getAsJsonArray("files");
    int rows = 0;
    for (var file : List.copyOf(files.asList())) {
      JsonObject again = file.getAsJsonObject().deepCopy();
      String path = again.get("path").getAsString();
      String other = path.replace(".parquet", "0.parquet");
      Files.copy(copy.resolve(path), copy.resolve(other));
      again.addProperty("path", other);
      files.add(again);
      rows = again.getAsJsonObject("size").get("rows").getAsInt();
    }
    Files.writeString(lastEntryPath(), new Gson().toJson(entry));
    Cells.Difference difference = compared();
    assertThat(difference.doubled()).isEqualTo(3 * rows);
    assertThat(difference.lost()).isZero();
  }

  @Test
  void countsCellsOfOtherTeacherAsDifferent() throws IOException {
    Path other = cache(shared.resolve("rows.tsv"), Tiny.REG, directory.resolve("other"));
    Cells.Difference difference = cells(other).compareTo(cells(whole));
    assertThat(difference.lost()).isZero();
    assertThat(difference.unequal()).isGreaterThanOrEqualTo(2 * ROWS);
    assertThat(difference.none()).isFalse();
  }

  @Test
  void listsFilesWithoutManifestEntry() throws IOException {
    Set<String> before = cells(copy).filesOf(Set.of(0));
    assertThat(before).hasSize(2);
    Files.createFile(copy.resolve("hidden/shard-000000-0a1b2c3d.parquet"));
    assertThat(cells(copy).filesOf(Set.of(0)))
        .containsAll(before)
        .hasSize(3)
        .contains("hidden/shard-000000-0a1b2c3d.parquet");
    assertThat(cells(copy).filesOf(Set.of(1))).hasSize(2);
  }

  private Cells.Difference compared() throws IOException {
    return cells(copy).compareTo(cells(whole));
  }

  private static Cells cells(Path cache) throws IOException {
    return Cells.of(cache.toUri().toString(), new Configuration());
  }

  private Path lastEntryPath() throws IOException {
    try (var entries = Files.list(copy.resolve("manifest"))) {
      return entries
          .filter(entry -> entry.toString().endsWith(".json"))
          .sorted()
          .reduce((a, b) -> b)
          .orElseThrow();
    }
  }

  private JsonObject lastEntry() throws IOException {
    return new Gson().fromJson(Files.readString(lastEntryPath()), JsonObject.class);
  }

  private static Path cache(Path corpus, Path teacher, Path to) throws IOException {
    Settings settings =
        TinyRecipe.unlabelled(corpus)
            .teacher(teacher)
            .cache(to)
            .shardTokens(300)
            .settings(
                "targets.dtype=float32",
                "targets.hidden=[3]",
                "targets.scores=stored",
                "targets.attention=[1]");
    new CacheJob(Tiny.spark(), settings).run();
    return to;
  }
}
