package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.MiniHdfs;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.Staging;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.target.Family;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guarantees of a cache on HDFS. HDFS is addressed by the name of a name service, which resolves
 * only where Spark's {@code spark.hadoop.*} settings are applied.
 */
@Tag("spark")
class HdfsTest {
  @TempDir private static Path shared;

  private static MiniHdfs hdfs;
  private static SparkSession spark;
  private static Storage storage;
  private static Path corpus;

  @BeforeAll
  static void startsCluster() throws IOException {
    hdfs = MiniHdfs.start(shared.resolve("hdfs"));
    spark = hdfs.startSession();
    storage = Storage.ofThisProcess();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 96, "LABEL_2", "LABEL_0");
  }

  @AfterAll
  static void stopsCluster() throws IOException {
    spark.stop();
    hdfs.close();
  }

  @Test
  void publishesCompleteFileOnly() throws IOException {
    storage.publishExclusively(at("whole/a/entry.json"), bytes("whole"));
    assertThat(storage.readText(at("whole/a/entry.json"))).isEqualTo("whole");
    assertThat(names("whole/a")).containsExactly("entry.json");
  }

  @Test
  void readsFileWhileItIsWritten() throws IOException {
    try (OutputStream out = storage.openGrowing(at("grows/steps.jsonl"))) {
      out.write(bytes("one\n"));
      out.flush();
      assertThat(storage.readText(at("grows/steps.jsonl"))).isEqualTo("one\n");
      out.write(bytes("two\n"));
      out.flush();
      assertThat(storage.readText(at("grows/steps.jsonl"))).isEqualTo("one\ntwo\n");
    }
  }

  @Test
  void replacesFileAtomically() throws IOException {
    storage.writeText(at("replaced/a.json"), "first");
    storage.writeText(at("replaced/a.json"), "second");
    assertThat(storage.readText(at("replaced/a.json"))).isEqualTo("second");
    assertThat(names("replaced")).containsExactly("a.json");
  }

  @Test
  void doesNotOverwriteExistingFile() throws IOException {
    storage.publishExclusively(at("stays/entry.json"), bytes("first"));
    assertThatThrownBy(
            () -> storage.publishExclusively(at("stays/entry.json"), bytes("second, longer")))
        .isInstanceOf(FileAlreadyExistsException.class);
    assertThat(storage.readText(at("stays/entry.json"))).isEqualTo("first");
    assertThat(names("stays")).containsExactly("entry.json");
  }

  @Test
  void oneOfManyConcurrentWritersWins() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      for (int round = 0; round < 20; round++) {
        org.apache.hadoop.fs.Path path = at(format("race/%08d.json", round));
        List<Callable<Boolean>> writers = new ArrayList<>();
        for (int writer = 0; writer < 8; writer++) {
          byte[] bytes = bytes("writer " + writer);
          writers.add(() -> publishes(path, bytes));
        }
        List<Boolean> won = new ArrayList<>();
        for (Future<Boolean> writer : threads.invokeAll(writers)) {
          won.add(writer.get());
        }
        assertThat(won).containsOnlyOnce(true);
        assertThat(storage.readText(path)).isEqualTo("writer " + won.indexOf(true));
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void doesNotMoveDirectoryIntoAnother() throws IOException {
    storage.writeText(at("moves/from/x"), "x");
    storage.writeText(at("moves/to/y"), "y");
    assertThatThrownBy(() -> storage.renameExclusively(at("moves/from"), at("moves/to")))
        .isInstanceOf(FileAlreadyExistsException.class);
    assertThat(names("moves/to")).containsExactly("y");
    storage.renameExclusively(at("moves/from"), at("moves/new"));
    assertThat(names("moves/new")).containsExactly("x");
  }

  @Test
  void rejectsSecondWriterOfManifest() throws IOException {
    ManifestLog one = ManifestLog.read(storage, at("manifests"));
    ManifestLog other = ManifestLog.read(storage, at("manifests"));
    one.append(new ManifestChange.FilesAdded(List.of(file("a")), List.of()));
    assertThatThrownBy(
            () -> other.append(new ManifestChange.FilesAdded(List.of(file("b")), List.of())))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "another run has written '%s/manifests/manifest/00000000.json'", hdfs.uri());
    assertThat(ManifestLog.read(storage, at("manifests")).state().files())
        .containsExactly(file("a"));
  }

  @Test
  void firstOfTwoConcurrentPlansWins() throws IOException {
    Staging first = plan("first");
    Staging second = plan("second");
    first.commit();
    storage.writeText(new org.apache.hadoop.fs.Path(second.directory(), CachePlan.FILE), "second");
    assertThatThrownBy(second::commit).isInstanceOf(FileAlreadyExistsException.class);
    assertThatThrownBy(() -> second.requireNoCacheYet(new IOException("lost")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("another run has planned cache.path");
    assertThat(storage.readText(at("planned/c/plan.json"))).isEqualTo("first");
  }

  @Test
  void cacheAndStudentsEqualLocalOnes() throws IOException {
    String there = hdfs.uri() + "/whole";
    Path here = shared.resolve("whole");
    for (String place : List.of(there, here.toString())) {
      Settings settings = settings(place);
      new CacheJob(spark, settings).run();
      assertThat(new TrainJob(spark, settings).run().students()).hasSize(2);
    }
    assertThat(names("whole/students/_metrics/student"))
        .hasSize(2)
        .anyMatch(name -> name.matches("steps-\\d+\\.jsonl"))
        .anyMatch(name -> name.startsWith("events.out.tfevents."));
    for (String part : List.of("cache", "students")) {
      CacheDiff.Result diff =
          CacheDiff.compare(format("%s/%s", there, part), here.resolve(part).toString());
      assertThat(diff.equal()).as(diff.words()).isTrue();
    }
    assertThat(new CacheJob(spark, settings(there)).run().computedShards()).isZero();
  }

  @Test
  void findsAndRepairsDamage() throws IOException {
    String there = hdfs.uri() + "/damaged";
    Settings settings = settings(there);
    new CacheJob(spark, settings).run();
    String cache = there + "/cache";
    assertThat(new VerifyJob(spark, settings, cache).run().isSound()).isTrue();
    String victim = named(cache, Family.HIDDEN).get(0);
    org.apache.hadoop.fs.Path file = new org.apache.hadoop.fs.Path(cache, victim);
    byte[] bytes = hdfs.read(file);
    bytes[bytes.length / 2] ^= 1;
    hdfs.write(file, bytes);
    VerifyJob.Result verdict = new VerifyJob(spark, settings, cache).run();
    assertThat(verdict.isSound()).isFalse();
    assertThat(verdict.revoked()).containsExactly(victim);
    assertThat(new CacheJob(spark, settings).run().computedShards()).isEqualTo(1);
    assertThat(new VerifyJob(spark, settings, cache).run().isSound()).isTrue();
    VacuumJob.Result collected = VacuumJob.run(storage, new org.apache.hadoop.fs.Path(cache));
    assertThat(collected.removed()).containsExactly("cache/" + victim);
  }

  /** A quota is the full disk of a shared cluster. */
  @Test
  void reportsExhaustedQuotaAsUserError() throws IOException {
    String there = hdfs.uri() + "/quota";
    org.apache.hadoop.fs.Path directory = new org.apache.hadoop.fs.Path(there);
    assertQuotaReported(settings(there), directory, 20 << 20); // a file begun counts with 64 MB
    hdfs.limit(directory, 1L << 40);
    new CacheJob(spark, settings(there)).run();
    // The cache is planned and complete except for one layer.
    Settings more = settings(there, "targets.hidden=[0,1,3]");
    assertQuotaReported(more, directory, 1);
    hdfs.limit(directory, 1L << 40);
    assertThat(new CacheJob(spark, more).run().columns()).contains("hidden_01");
    assertThat(new VerifyJob(spark, more, there + "/cache").run().isSound()).isTrue();
  }

  private static void assertQuotaReported(
      Settings settings, org.apache.hadoop.fs.Path directory, long bytes) throws IOException {
    hdfs.limit(directory, bytes);
    assertThatThrownBy(() -> new CacheJob(spark, settings).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "cache.path '%s/cache' has no space left: The DiskSpace quota of /quota is exceeded:"
                + " quota = %d B",
            directory, bytes)
        .hasMessageContaining("raise the quota or free some space")
        .hasMessageContaining("which computes only what is missing");
  }

  private static Settings settings(String directory, String... more) {
    return TinyRecipe.labelled(corpus)
        .cache(directory + "/cache")
        .shardTokens(300)
        .tinyBertTargets()
        .with(
            "targets.dtype=float32",
            "student.layers=1",
            "loss.soft-label.weight=1",
            "loss.hidden-mse.weight=1",
            "loss.attention-mse.weight=1",
            "train.path=" + directory + "/students",
            "train.epochs=1",
            "train.batch-size=16",
            "train.checkpoint-every=2",
            "train.threads=1")
        .settings(more);
  }

  private static List<String> named(String cache, Family family) throws IOException {
    return ManifestLog.read(storage, new org.apache.hadoop.fs.Path(cache)).state().files().stream()
        .filter(file -> file.family().equals(family.id()))
        .map(CacheFile::path)
        .toList();
  }

  private static boolean publishes(org.apache.hadoop.fs.Path path, byte[] bytes)
      throws IOException {
    try {
      storage.publishExclusively(path, bytes);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  private static Staging plan(String text) throws IOException {
    Staging staging = new Staging(storage, at("planned/c"));
    storage.writeText(new org.apache.hadoop.fs.Path(staging.directory(), CachePlan.FILE), text);
    return staging;
  }

  private static CacheFile file(String name) {
    return new CacheFile(
        0,
        Family.INPUTS.id(),
        "inputs/" + name,
        List.of("id"),
        new CacheFile.Size(3, 21, 1234),
        new CacheFile.Hashes(List.of(), "ab"),
        "");
  }

  private static org.apache.hadoop.fs.Path at(String name) {
    return new org.apache.hadoop.fs.Path(hdfs.uri() + "/" + name);
  }

  private static List<String> names(String directory) throws IOException {
    FileSystem fs = storage.fileSystem(at(directory));
    return Arrays.stream(fs.listStatus(at(directory)))
        .map(FileStatus::getPath)
        .map(org.apache.hadoop.fs.Path::getName)
        .toList();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
