package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.Lease;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damages files of a cache at random; verify must report the damage and cache repair it. */
@Tag("spark")
class DamageTest {
  /** As many as fit into a minute; {@code -Dstillhouse.damages=200} runs all. */
  private static final int DAMAGES = Integer.getInteger("stillhouse.damages", 25);

  private static final Storage STORAGE = new Storage(new Configuration());
  private static final List<Column> COLUMNS =
      List.of(Targets.LOGITS, Targets.hidden(1), Targets.hidden(3), Targets.attention(3));

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static Path cache;
  private static Map<String, List<byte[]>> undamaged;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 60, "LABEL_2", "0");
    cache = shared.resolve("cache");
    new CacheJob(spark, settings(cache)).run();
    undamaged = cells(cache);
  }

  @Test
  void verifyAcceptsUndamagedCache() throws IOException {
    VerifyJob.Result result = Tiny.verify(cache, "verify.rows=12");

    assertThat(result.isSound()).as("%s", result.lines()).isTrue();
    assertThat(result.damaged()).isEmpty();
    assertThat(result.missing()).isEmpty();
    assertThat(result.fidelity())
        .containsOnlyKeys(
            "logits",
            "hidden_01",
            "attention_02 (derived)",
            "value_relations_02 (derived)",
            "hidden_03",
            "attention_03");
    result
        .fidelity()
        .forEach(
            (name, column) -> {
              assertThat(column.error()).as(name).isBetween(0.0, 1e-5);
              assertThat(column.noise()).as(name).isBetween(0.0, 1e-5);
            });
  }

  @Test
  void findsAndRepairsEveryDamage() throws IOException {
    Random random = new Random(20_261_124);
    List<String> silent = new ArrayList<>();
    for (int n = 0; n < DAMAGES; n++) {
      Path copy = directory.resolve("copy");
      FileUtils.deleteDirectory(copy.toFile());
      Tiny.copy(cache, copy);
      Damage damage = Damage.of(copy, random);
      if (!damage.name().startsWith("cache.json") && readsQuietly(copy)) {
        silent.add(n + " read: " + damage);
      }
      VerifyJob.Result found = Tiny.verify(copy, "verify.rows=0");
      if (found.isSound() || found.lines().stream().noneMatch(l -> l.contains(damage.name()))) {
        silent.add(n + " verify: " + damage + " " + found.lines());
      }
      new CacheJob(spark, settings(copy)).run();
      VerifyJob.Result repaired = Tiny.verify(copy, "verify.rows=0");
      if (!repaired.isSound()) {
        silent.add(n + " repair: " + damage + " " + repaired.lines());
      }
      assertThat(cells(copy))
          .as("%d %s", n, damage)
          .usingRecursiveComparison()
          .isEqualTo(undamaged);
    }
    assertThat(silent).isEmpty();
  }

  @Test
  void recomputesOnlyDamagedFile() throws IOException {
    Path copy = copyOfCache();
    Path hidden = parquet(copy.resolve("hidden")).get(1);
    flip(hidden, 100);
    Map<String, byte[]> before = Tiny.files(copy);

    VerifyJob.Result found = Tiny.verify(copy, "verify.rows=0");
    assertThat(found.damaged()).hasSize(1);
    assertThat(found.damaged().get(0)).contains("hidden/" + hidden.getFileName(), "shard ");
    CacheRecord again = new CacheJob(spark, settings(copy)).run();

    assertThat(again.computedShards()).isEqualTo(1);
    Map<String, byte[]> after = Tiny.files(copy);
    List<String> fresh =
        after.keySet().stream()
            .filter(name -> name.endsWith(".parquet") && !before.containsKey(name))
            .toList();
    assertThat(fresh).singleElement().asString().startsWith("hidden/shard-");
    assertThat(VacuumJob.run(STORAGE, CacheRows.hadoop(copy)).removed())
        .containsExactly("copy/hidden/" + hidden.getFileName());
    assertThat(hidden).doesNotExist();
  }

  @Test
  void prunedReadChecksOnlyColumnsThatItReads() throws IOException {
    Path copy = copyOfCache();
    CacheFile file = hidden(copy);
    CacheFile.Chunk other =
        file.hashes().chunks().stream()
            .filter(c -> c.column().equals("hidden_03"))
            .findFirst()
            .get();
    flip(copy.resolve(file.path()), other.offset() + other.bytes() / 2);

    assertThat(CacheRows.reader(copy, List.of(Targets.hidden(1))).read(0)).isNotEmpty();
    assertThatThrownBy(() -> CacheRows.reader(copy, List.of(Targets.hidden(3))).read(0))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("(shard 0, hidden) is damaged: the bytes of its hidden_03")
        .hasMessageContaining("run verify");
  }

  @Test
  void prunedReadChecksFooter() throws IOException {
    Path copy = copyOfCache();
    CacheFile file = hidden(copy);
    flip(copy.resolve(file.path()), file.size().bytes() - 20);

    assertThatThrownBy(() -> CacheRows.reader(copy, List.of(Targets.hidden(1))).read(0))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the bytes of its footer");
  }

  @Test
  void vacuumRejectsCacheInUse() throws IOException {
    Path copy = copyOfCache();
    Path orphan = orphan(copy);

    try (Lease lease = Lease.acquire(STORAGE, CacheRows.hadoop(copy))) {
      // A command that ends does not remove the lease of another.
      Lease.acquire(STORAGE, CacheRows.hadoop(copy)).close();
      assertThatThrownBy(() -> VacuumJob.run(STORAGE, CacheRows.hadoop(copy)))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("a command is writing to cache");
    }
    assertThat(orphan).exists();
  }

  @Test
  void vacuumRemovesOrphans() throws IOException {
    Path copy = copyOfCache();
    Path orphan = orphan(copy);

    assertThat(VacuumJob.run(STORAGE, CacheRows.hadoop(copy)).bytes()).isEqualTo(4);

    assertThat(orphan).doesNotExist();
    assertThat(cells(copy)).usingRecursiveComparison().isEqualTo(undamaged);
  }

  private static Path orphan(Path cache) throws IOException {
    return Files.writeString(cache.resolve("hidden/shard-000000-0000.parquet"), "half");
  }

  /** A fault and the file that it is in. */
  private record Damage(String name, String kind) {
    /** Flips a bit of a random file, or truncates, empties, deletes or swaps the file. */
    static Damage of(Path cache, Random random) throws IOException {
      List<Path> files;
      try (var all = Files.walk(cache)) {
        files = all.filter(Files::isRegularFile).sorted().toList();
      }
      Path file = files.get(random.nextInt(files.size()));
      String name = cache.relativize(file).toString();
      long bytes = Files.size(file);
      int kind = random.nextInt(10);
      if (kind < 6) {
        // A third of the flips are in the first or last bytes: headers and footers.
        long at = random.nextInt(3) > 0 ? (long) (random.nextDouble() * bytes) : random.nextInt(8);
        flip(file, random.nextBoolean() ? at : bytes - 1 - at % bytes);
        return new Damage(name, "flip near " + at);
      }
      if (kind == 6) {
        long length = (long) (random.nextDouble() * bytes);
        try (var channel =
            java.nio.channels.FileChannel.open(file, java.nio.file.StandardOpenOption.WRITE)) {
          channel.truncate(length);
        }
        return new Damage(name, "cut to " + length);
      }
      List<Path> siblings =
          files.stream()
              .filter(f -> !f.equals(file) && f.getParent().equals(file.getParent()))
              .toList();
      if (kind < 9 && name.endsWith(".parquet") && !siblings.isEmpty()) {
        Path other = siblings.get(random.nextInt(siblings.size()));
        Path aside = file.resolveSibling("aside");
        Files.move(file, aside);
        Files.move(other, file);
        Files.move(aside, other);
        return new Damage(name, "swapped with " + other.getFileName());
      }
      if (name.equals("cache.json")) {
        Files.write(file, new byte[0]);
        return new Damage(name, "emptied");
      }
      Files.delete(file);
      return new Damage(name, "deleted");
    }
  }

  /** Returns whether everything that training may read can be read without an error. */
  private static boolean readsQuietly(Path copy) {
    try {
      CacheReader.teacher(STORAGE, CacheRows.hadoop(copy));
      cells(copy);
      return true;
    } catch (StillhouseException e) {
      return false;
    } catch (IOException e) {
      return false;
    }
  }

  private Path copyOfCache() throws IOException {
    return Tiny.copy(cache, directory.resolve("copy"));
  }

  private static CacheFile hidden(Path cache) throws IOException {
    return ManifestLog.read(STORAGE, CacheRows.hadoop(cache))
        .state()
        .find(0, "", Targets.hidden(1))
        .get();
  }

  private static Map<String, List<byte[]>> cells(Path cache) throws IOException {
    return CacheRows.cells(CacheRows.reader(cache, COLUMNS), COLUMNS);
  }

  private static void flip(Path file, long at) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[(int) at] ^= (byte) (1 << (at % 8));
    Path fresh = file.resolveSibling("fresh");
    Files.write(fresh, bytes);
    Files.move(fresh, file, StandardCopyOption.REPLACE_EXISTING);
  }

  private static List<Path> parquet(Path family) throws IOException {
    try (var files = Files.list(family)) {
      return files.filter(file -> file.toString().endsWith(".parquet")).sorted().toList();
    }
  }

  private static Settings settings(Path cache) {
    return TinyRecipe.labelled(corpus)
        .cache(cache)
        .shardTokens(300)
        .settings(
            "targets.hidden=[1,3]",
            "targets.attention=[3]",
            "targets.scores=stored",
            "targets.dtype=float32");
  }
}
