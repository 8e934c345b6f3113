package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.sweep.SweepJob;
import java.io.IOException;
import java.nio.file.Path;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Recipes that train, sweep and cache reject for a cache that was begun with a window. */
class WindowRejectedTest extends WindowFixture {
  private static Path begun;
  private static int shards;

  @BeforeAll
  static void beginsWindow() throws Exception {
    spark = Tiny.spark();
    begun = shared.resolve("begun");
    Settings window = settings(begun, shared.resolve("students"), "cache.window=" + WINDOW);
    Background<CacheRecord> caching = new Background<>(() -> new CacheJob(spark, window).run());
    await(begun);
    kill(caching);
    shards =
        CachePlan.read(Storage.ofThisProcess(), new org.apache.hadoop.fs.Path(begun.toUri()))
            .shards()
            .size();
  }

  @Test
  void cacheRejectsWindowWithShuffledOrder() {
    Settings settings =
        settings(cachePath(), students(), "cache.window=" + WINDOW, "train.order=shuffled");

    assertThatThrownBy(() -> new CacheJob(spark, settings).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cache.window is 3")
        .hasMessageContaining("train.order is 'shuffled'; set train.order=plan");
    assertThat(cachePath()).doesNotExist();
  }

  @Test
  void trainRejectsShuffledOrder() {
    assertRejected(() -> trainBegun("train.order=shuffled"))
        .hasMessageContaining(format("a window of 3 of its %d shards", shards))
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
        .hasMessageContaining("create the cache with cache.window=");
  }

  @Test
  void trainRejectsColumnsThatWindowLacks() {
    assertRejected(() -> trainBegun("student.layers=3"))
        .hasMessageContaining("was not built with attention_02, hidden_01, hidden_02");
  }

  @Test
  void sweepRejectsWindow() {
    assertRejected(
            () -> new SweepJob(spark, settings(begun, students(), "sweep.over.train.seed=[1, 2]")))
        .hasMessageContaining("has a window, and a student of a sweep that fails")
        .hasMessageContaining("train each student with its own train command");
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
            "was built with cache.window = 3, but this recipe has 2; use 3 or more");
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
}
