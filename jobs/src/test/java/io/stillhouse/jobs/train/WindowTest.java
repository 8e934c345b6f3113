package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Trains from a cache that never holds more than three shards while it is being written. */
@Tag("slow")
class WindowTest extends WindowFixture {
  private static final String[] ROUNDS = {
    "train.workers=2", "train.round-steps=1", "train.baseline=false"
  };

  private static int shards;
  private static byte[] student;
  private static byte[] baseline;
  private static byte[] inRounds;
  private static Path finished;
  private static CacheRecord cached;
  private static int mostShards;

  private final List<WindowWatcher> watchers = new ArrayList<>();

  @BeforeAll
  static void trainsFromWholeCacheAndFromWindow() throws Exception {
    // The cache command, a student and its baseline run at the same time.
    Tiny.spark().stop();
    spark =
        SparkSession.builder().master("local[3]").config("spark.ui.enabled", false).getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    Settings whole = settings(shared.resolve("whole"), shared.resolve("students"));
    shards = new CacheJob(spark, whole).run().shards();
    new TrainJob(spark, whole).run();
    student = weights(shared.resolve("students/small"));
    baseline = weights(shared.resolve("students/small-baseline"));
    new TrainJob(spark, settings(shared.resolve("whole"), shared.resolve("rounds"), ROUNDS)).run();
    inRounds = weights(shared.resolve("rounds/small"));

    finished = shared.resolve("cache");
    Settings window = settings(finished, shared.resolve("of-window"), "cache.window=" + WINDOW);
    WindowWatcher watcher = new WindowWatcher(finished);
    Background<CacheRecord> caching = new Background<>(() -> new CacheJob(spark, window).run());
    await(finished);
    new TrainJob(spark, window).run();
    cached = caching.get(60, TimeUnit.SECONDS);
    watcher.close();
    mostShards = watcher.most;
  }

  @AfterAll
  static void stopsSession() {
    spark.stop();
  }

  @AfterEach
  void checksWatchers() throws Exception {
    for (WindowWatcher watcher : watchers) {
      watcher.close();
      assertThat(watcher.most).as("shards stored at the same time").isBetween(1, WINDOW);
    }
  }

  @Test
  void windowGivesSameStudentsAsWholeCache() throws Exception {
    assertThat(weights(shared.resolve("of-window/small"))).isEqualTo(student);
    assertThat(weights(shared.resolve("of-window/small-baseline"))).isEqualTo(baseline);
  }

  @Test
  void neverHoldsMoreShardsThanWindow() {
    assertThat(shards).isGreaterThan(3 * WINDOW);
    assertThat(mostShards).isBetween(1, WINDOW);
    assertThat(cached.computedShards()).isEqualTo(shards);
    assertThat(cached.droppedShards()).isGreaterThanOrEqualTo(shards - WINDOW);
  }

  @Test
  void restartedTrainingAcknowledgesFinishedStudents() throws Exception {
    copiesFinishedCache();
    // Training may be killed after it wrote its student but before it acknowledged that.
    Acknowledgements acknowledgements = new Acknowledgements(storage(), hadoop(cachePath()));
    Acknowledgements.Student last = acknowledgements.of("small");
    acknowledgements.write(new Acknowledgements.Student("small", last.directory(), shards - 1));

    TrainJob.Result result =
        new TrainJob(spark, settings(cachePath(), shared.resolve("of-window"))).run();

    assertThat(result.alreadyTrained()).containsExactly("small", "small-baseline");
    assertThat(acknowledgements.of("small")).isEqualTo(last);
  }

  @Test
  void nextRunDropsRemainingShards() throws Exception {
    copiesFinishedCache();

    // Shards that students finished after the last one was computed are dropped by the next run.
    CacheRecord again = cache();

    assertThat(again.computedShards()).isZero();
    assertThat(again.droppedShards()).isEqualTo(shards);
    assertThat(WindowWatcher.targets(cachePath())).isEmpty();
    assertThat(again.bytes()).isEqualTo(cached.bytes());
  }

  @Test
  void workersInRoundsGiveSameStudentAsWholeCache() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    train(ROUNDS);

    assertThat(caching.get(60, TimeUnit.SECONDS).computedShards()).isEqualTo(shards);
    assertThat(weights(students().resolve("small"))).isEqualTo(inRounds);
  }

  @Test
  void killedTrainingAndCacheResumeToSameBits() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    Future<TrainJob.Result> training = new Background<>(() -> train());
    awaitDropped(4);
    spark.sparkContext().cancelJobGroup("train");
    assertThatThrownBy(training::get).isInstanceOf(ExecutionException.class);
    int dropped = WindowWatcher.dropped(cachePath());
    assertThat(dropped).isBetween(4, shards - 1);

    kill(caching);
    awaitNoTasks();
    caching = cacheInTheBackground();
    train();
    CacheRecord resumed = caching.get(60, TimeUnit.SECONDS);

    assertThat(weights(students().resolve("small"))).isEqualTo(student);
    assertThat(weights(students().resolve("small-baseline"))).isEqualTo(baseline);
    assertThat(resumed.computedShards())
        .as("recomputed shards")
        .isLessThanOrEqualTo(shards - dropped);
  }

  @Test
  void verifyAcceptsDroppedShards() throws Exception {
    copiesFinishedCache();

    VerifyJob.Result verified = Tiny.verify(cachePath());

    assertThat(verified.isSound()).as("%s", verified.lines()).isTrue();
    assertThat(verified.lines())
        .anyMatch(
            line ->
                line.matches(
                    "dropped: the targets of \\d+ shards, which small, small-baseline had read"));
  }

  @Test
  void vacuumDeletesFilesOfDroppedShards() throws Exception {
    copiesFinishedCache();
    leavesFileOfDroppedShard();

    assertThat(VacuumJob.run(storage(), hadoop(cachePath())).removed())
        .containsExactly("cache/hidden/shard-000000-0123abcd.parquet");
  }

  @Test
  void cacheDeletesFilesOfDroppedShards() throws Exception {
    copiesFinishedCache();
    Path left = leavesFileOfDroppedShard();

    cache();

    assertThat(left).doesNotExist();
    VerifyJob.Result verified = Tiny.verify(cachePath());
    assertThat(verified.isSound()).as("%s", verified.lines()).isTrue();
    assertThat(verified.dropped().shards()).isEqualTo(shards);
  }

  @Test
  void lostManifestEntryDoesNotRestoreDroppedShards() throws Exception {
    copiesFinishedCache();
    Path entry;
    try (var entries = Files.list(cachePath().resolve("manifest"))) {
      entry = entries.filter(WindowTest::drops).sorted().findFirst().orElseThrow();
    }
    Files.writeString(entry, Files.readString(entry).replace("small", "smell"));

    VerifyJob.Result verified = Tiny.verify(cachePath());
    assertThat(verified.damaged()).anyMatch(fault -> fault.contains("a manifest entry"));
    assertThat(verified.revoked()).anyMatch(file -> file.startsWith("hidden/shard-"));
    CacheRecord again = cache();
    assertThat(again.computedShards()).isZero();
    assertThat(again.droppedShards()).isEqualTo(shards);
    verified = Tiny.verify(cachePath());
    assertThat(verified.isSound()).as("%s", verified.lines()).isTrue();
  }

  private static boolean drops(Path entry) {
    try {
      return Files.readString(entry).contains("\"dropped\"");
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void rejectsStudentThatStartsAfterShardsWereDropped() throws Exception {
    copiesFinishedCache();

    assertThatThrownBy(() -> train("student.name=late"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("shard 0 of cache")
        .hasMessageContaining("was dropped after the students small, small-baseline had read it")
        .hasMessageContaining("build another cache, or one with cache.window=0");
    assertThat(students().resolve("_checkpoints/late")).doesNotExist();
    assertThat(cachePath().resolve("window/late.json")).doesNotExist();
  }

  @Test
  void rejectsStudentOfSameNameInAnotherDirectory() throws Exception {
    copiesFinishedCache();

    assertThatThrownBy(() -> train())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("waits for a student 'small' in")
        .hasMessageContaining(
            "choose another student.name, or, if the other is no longer needed, delete");
  }

  @Test
  void rejectsWindowForExistingWholeCache() {
    Settings settings = settings(shared.resolve("whole"), students(), "cache.window=3");

    assertThatThrownBy(() -> new CacheJob(spark, settings).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("was built with cache.window = 0, but this recipe has 3; use 0");
  }

  private void copiesFinishedCache() throws IOException {
    Tiny.copy(finished, cachePath());
  }

  /** Leaves a file as a kill between the manifest entry and the deletion does. */
  private Path leavesFileOfDroppedShard() throws IOException {
    return Files.write(
        cachePath().resolve("hidden/shard-000000-0123abcd.parquet"), new byte[] {1, 2, 3});
  }

  private CacheRecord cache(String... more) throws IOException {
    String[] all = Arrays.copyOf(more, more.length + 1);
    System.arraycopy(more, 0, all, 1, more.length);
    all[0] = "cache.window=" + WINDOW;
    return new CacheJob(spark, settings(cachePath(), students(), all)).run();
  }

  private Background<CacheRecord> cacheInTheBackground(String... more) {
    watchers.add(new WindowWatcher(cachePath()));
    return new Background<>(() -> cache(more));
  }

  private TrainJob.Result train(String... more) throws IOException {
    return new TrainJob(spark, settings(cachePath(), students(), more)).run();
  }

  /** A cancelled task ends after its step; the tasks of a killed process end at once. */
  private static void awaitNoTasks() throws InterruptedException {
    while (Arrays.stream(spark.sparkContext().statusTracker().getExecutorInfos())
        .anyMatch(executor -> executor.numRunningTasks() > 0)) {
      Thread.sleep(20);
    }
  }

  private void awaitCache() throws InterruptedException {
    await(cachePath());
  }

  private void awaitDropped(int count) throws Exception {
    while (WindowWatcher.dropped(cachePath()) < count) {
      Thread.sleep(20);
    }
  }

  private static Storage storage() {
    return new Storage(new Configuration());
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path(path.toString());
  }

  private static byte[] weights(Path model) throws IOException {
    return Files.readAllBytes(model.resolve("model.safetensors"));
  }
}
