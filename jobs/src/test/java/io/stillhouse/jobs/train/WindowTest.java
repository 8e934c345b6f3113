package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.sweep.SweepJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Trains from a cache that never holds more than three shards while it is being written. */
@Tag("spark")
@Tag("slow")
@Timeout(value = 5, unit = TimeUnit.MINUTES) // commands that wait for each other
class WindowTest {
  private static final int WINDOW = 3;

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static Path begun;
  private static int shards;
  private static byte[] student;
  private static byte[] baseline;
  private static byte[] inRounds;

  private final List<WindowWatcher> watchers = new ArrayList<>();

  @BeforeAll
  static void trainsFromWholeCacheAndBeginsWindow() throws Exception {
    // The cache command, a student and its baseline run at the same time.
    Tiny.spark().stop();
    spark =
        SparkSession.builder().master("local[3]").config("spark.ui.enabled", false).getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 240, "LABEL_2", "LABEL_0");
    Settings whole = settings(shared.resolve("whole"), shared.resolve("students"));
    shards = new CacheJob(spark, whole).run().shards();
    new TrainJob(spark, whole).run();
    student = weights(shared.resolve("students/small"));
    baseline = weights(shared.resolve("students/small-baseline"));
    new TrainJob(spark, settings(shared.resolve("whole"), shared.resolve("rounds"), ROUNDS)).run();
    inRounds = weights(shared.resolve("rounds/small"));
    begun = shared.resolve("begun");
    Settings window = settings(begun, shared.resolve("students"), "cache.window=" + WINDOW);
    Background<CacheRecord> caching = new Background<>(() -> new CacheJob(spark, window).run());
    await(begun);
    kill(caching);
  }

  private static final String[] ROUNDS = {
    "train.workers=2", "train.round-steps=1", "train.baseline=false"
  };

  @AfterAll
  static void stopsSession() {
    spark.stop();
  }

  @AfterEach
  void cacheNeverHoldsMoreThanWindow() throws Exception {
    for (WindowWatcher watcher : watchers) {
      watcher.close();
      assertThat(watcher.most).as("shards stored at the same time").isBetween(1, WINDOW);
    }
  }

  @Test
  void windowGivesSameStudentsAsWholeCache() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    train();
    CacheRecord cached = caching.get(60, TimeUnit.SECONDS);

    assertThat(shards).isGreaterThan(3 * WINDOW);
    assertThat(weights(students().resolve("small"))).isEqualTo(student);
    assertThat(weights(students().resolve("small-baseline"))).isEqualTo(baseline);
    assertThat(cached.computedShards()).isEqualTo(shards);
    assertThat(cached.droppedShards()).isGreaterThanOrEqualTo(shards - WINDOW);

    // Training may be killed after it wrote its student but before it acknowledged that.
    Acknowledgements says = new Acknowledgements(storage(), hadoop(cachePath()));
    Acknowledgements.Student last = says.of("small");
    says.write(new Acknowledgements.Student("small", last.directory(), shards - 1));
    assertThat(train().alreadyTrained()).containsExactly("small", "small-baseline");
    assertThat(says.of("small")).isEqualTo(last);

    // Shards that students finished after the last one was computed are dropped by the next run.
    CacheRecord again = cache();
    assertThat(again.computedShards()).isZero();
    assertThat(again.droppedShards()).isEqualTo(shards);
    assertThat(WindowWatcher.targets(cachePath())).isEmpty();
    assertThat(again.bytes()).isEqualTo(cached.bytes());
  }

  @Test
  void workersInRoundsGiveSameStudentAsWholeCache() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground("cache.window=3");
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
    CacheRecord cached = caching.get(60, TimeUnit.SECONDS);

    assertThat(weights(students().resolve("small"))).isEqualTo(student);
    assertThat(weights(students().resolve("small-baseline"))).isEqualTo(baseline);
    assertThat(cached.computedShards()).as("recomputed shards").isLessThanOrEqualTo(shards - dropped);
  }

  @Test
  void verifyAcceptsDroppedShardsAndVacuumDeletesTheirFiles() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    train();
    caching.get(60, TimeUnit.SECONDS);
    cacheNeverHoldsMoreThanWindow();
    watchers.clear();

    VerifyJob.Result verified = verify();
    assertThat(verified.sound()).as("%s", verified.lines()).isTrue();
    assertThat(verified.lines())
        .anyMatch(
            line ->
                line.matches(
                    "dropped: the targets of \\d+ shards, which small, small-baseline had read"));

    // A kill between the manifest entry and the deletion leaves a file of a dropped shard.
    Path left = cachePath().resolve("hidden/shard-000000-0123abcd.parquet");
    Files.write(left, new byte[] {1, 2, 3});
    assertThat(VacuumJob.run(storage(), hadoop(cachePath())).removed())
        .containsExactly("cache/hidden/shard-000000-0123abcd.parquet");
    Files.write(left, new byte[] {1, 2, 3});
    cache();
    assertThat(left).doesNotExist();
    verified = verify();
    assertThat(verified.sound()).as("%s", verified.lines()).isTrue();
    assertThat(verified.dropped().shards()).isEqualTo(shards);
  }

  @Test
  void lostManifestEntryDoesNotRestoreDroppedShards() throws Exception {
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    train();
    caching.get(60, TimeUnit.SECONDS);
    Path entry;
    try (var entries = Files.list(cachePath().resolve("manifest"))) {
      entry = entries.filter(WindowTest::drops).sorted().findFirst().orElseThrow();
    }
    Files.writeString(entry, Files.readString(entry).replace("small", "smell"));

    VerifyJob.Result verified = verify();
    assertThat(verified.damaged()).anyMatch(fault -> fault.contains("a manifest entry"));
    assertThat(verified.revoked()).anyMatch(file -> file.startsWith("hidden/shard-"));
    CacheRecord again = cache();
    assertThat(again.computedShards()).isZero();
    assertThat(again.droppedShards()).isEqualTo(shards);
    verified = verify();
    assertThat(verified.sound()).as("%s", verified.lines()).isTrue();
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
    Background<CacheRecord> caching = cacheInTheBackground();
    awaitCache();
    train();
    caching.get(60, TimeUnit.SECONDS);

    assertThatThrownBy(() -> train("student.name=late"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("shard 0 of cache")
        .hasMessageContaining("was dropped after the students small, small-baseline had read it")
        .hasMessageContaining("make another cache, or one with cache.window=0");
    assertThat(students().resolve("_checkpoints/late")).doesNotExist();
    assertThat(cachePath().resolve("window/late.json")).doesNotExist();
    assertThatThrownBy(() -> train("train.path=" + directory.resolve("elsewhere")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("waits for a student 'small' in")
        .hasMessageContaining(
            "choose another student.name, or, if the other is no longer wanted, delete");
  }

  @Test
  void cacheRejectsWindowWithShuffledOrder() {
    assertThatThrownBy(() -> cache("train.order=shuffled"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cache.window is 3")
        .hasMessageContaining("train.order is 'shuffled'; set train.order=plan");
    assertThat(cachePath()).doesNotExist();
  }

  @Test
  void trainRejectsShuffledOrder() {
    assertRejected(() -> trainBegun("train.order=shuffled"))
        .hasMessageContaining("a window of 3 of its %d shards".formatted(shards))
        .hasMessageContaining("train.order is 'shuffled'; set train.order=plan");
  }

  @Test
  void trainRejectsSecondEpoch() {
    assertRejected(() -> trainBegun("train.epochs=2"))
        .hasMessageContaining("it can be read once, but train.epochs is 2; set train.epochs=1");
  }

  @Test
  void trainRejectsStepsLargerThanWindow() {
    assertRejected(() -> trainBegun("train.batch-size=48"))
        .hasMessageContaining("but a step of train.batch-size=48 and train.shuffle-shards=1 reads")
        .hasMessageContaining("make the cache with cache.window=");
  }

  @Test
  void trainRejectsColumnsThatWindowLacks() {
    assertRejected(() -> trainBegun("student.layers=3"))
        .hasMessageContaining("was not begun with attention_02, hidden_01, hidden_02");
  }

  @Test
  void sweepRejectsWindow() {
    assertRejected(
            () -> new SweepJob(spark, settings(begun, students(), "sweep.over.train.seed=[1, 2]")))
        .hasMessageContaining("has a window, and a student of a sweep that fails")
        .hasMessageContaining("train each student by its own train command");
  }

  @Test
  void trainRejectsStudentsThatCannotRunConcurrently() {
    spark.sparkContext().conf().set("spark.task.cpus", "2");
    try {
      assertRejected(this::trainBegun)
          .hasMessageContaining("there are 2 and the session runs fewer tasks at once")
          .hasMessageContaining("--master 'local[2]', or set train.baseline=false");
    } finally {
      spark.sparkContext().conf().set("spark.task.cpus", "1");
    }
  }

  @Test
  void cacheRejectsSmallerWindow() {
    assertRejected(() -> cacheBegun("cache.window=2"))
        .hasMessageContaining(
            "was begun with cache.window = 3, but this recipe has 2; use 3 or more");
  }

  @Test
  void cacheRejectsMoreTargets() {
    assertRejected(() -> cacheBegun("cache.window=3", "targets.hidden=[0,1,3]"))
        .hasMessageContaining("asks for attention_03, hidden_00, hidden_01, hidden_03");
  }

  @Test
  void cacheRejectsSecondTeacher() {
    assertRejected(
            () -> cacheBegun("cache.window=3", "teacher.name=other", "teacher.path=" + Tiny.CLS))
        .hasMessageContaining("keeps the targets of one teacher");
  }

  @Test
  void cacheRejectsWindowForExistingWholeCache() {
    Settings settings = settings(shared.resolve("whole"), students(), "cache.window=3");
    assertRejected(() -> new CacheJob(spark, settings).run())
        .hasMessageContaining("was begun with cache.window = 0, but this recipe has 3; use 0");
  }

  /** Asserts that a command is rejected and that no student is registered with the window. */
  private static AbstractThrowableAssert<?, ?> assertRejected(ThrowingCallable command) {
    AbstractThrowableAssert<?, ?> refused =
        assertThatThrownBy(command).isInstanceOf(StillhouseException.class);
    assertThat(begun.resolve("window")).doesNotExist();
    return refused;
  }

  private void trainBegun(String... more) throws IOException {
    new TrainJob(spark, settings(begun, students(), more)).run();
  }

  private void cacheBegun(String... more) throws IOException {
    new CacheJob(spark, settings(begun, students(), more)).run();
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

  private VerifyJob.Result verify() throws IOException {
    return new VerifyJob(spark, Tiny.settings(List.of()), cachePath().toString()).run();
  }

  /** A task that runs on its own thread. */
  private static final class Background<T> extends FutureTask<T> {
    private final Thread thread = new Thread(this, "in the background");

    Background(Callable<T> work) {
      super(work);
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** Ends a cache command; it only has a Spark job to cancel while it computes. */
  private static void kill(Background<CacheRecord> caching) throws InterruptedException {
    while (caching.thread.isAlive()) { // an interruption before it waits may be lost
      spark.sparkContext().cancelJobGroup("cache");
      caching.thread.interrupt();
      caching.thread.join(100);
    }
    assertThatThrownBy(caching::get).isInstanceOf(ExecutionException.class);
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

  private static void await(Path cache) throws InterruptedException {
    while (!Files.exists(cache.resolve("plan.json"))) {
      Thread.sleep(20);
    }
  }

  private void awaitDropped(int count) throws Exception {
    while (WindowWatcher.dropped(cachePath()) < count) {
      Thread.sleep(20);
    }
  }

  private Path cachePath() {
    return directory.resolve("cache");
  }

  private Path students() {
    return directory.resolve("students");
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

  private static Settings settings(Path cache, Path students, String... more) {
    return TinyRecipe.labelled(corpus)
        .cache(cache)
        .shardTokens(256)
        .tinyBertTargets()
        .student(students)
        .tinyBertLosses()
        .with(
            "targets.scores=stored",
            "student.name=small",
            "loss.hard-label.weight=1",
            "train.order=plan",
            "train.batch-size=4",
            "train.learning-rate=1e-2")
        .settings(more);
  }
}
