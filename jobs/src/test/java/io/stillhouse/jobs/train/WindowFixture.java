package io.stillhouse.jobs.train;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Base of tests of caches that hold at most three shards. */
@Tag("spark")
@Timeout(value = 5, unit = TimeUnit.MINUTES) // commands that wait for each other
abstract class WindowFixture {
  static final int WINDOW = 3;

  @TempDir static Path shared;
  @TempDir Path directory;

  static SparkSession spark;
  static Path corpus;

  @BeforeAll
  static void writesCorpus() throws IOException {
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 240, "LABEL_2", "LABEL_0");
  }

  /** A task that runs on its own thread. */
  static final class Background<T> extends FutureTask<T> {
    private final Thread thread = new Thread(this, "in the background");

    Background(Callable<T> work) {
      super(work);
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** Ends a cache command; it only has a Spark job to cancel while it computes. */
  static void kill(Background<CacheRecord> caching) throws InterruptedException {
    while (caching.thread.isAlive()) { // an interruption before it waits may be lost
      spark.sparkContext().cancelJobGroup("cache");
      caching.thread.interrupt();
      caching.thread.join(100);
    }
    assertThatThrownBy(caching::get).isInstanceOf(ExecutionException.class);
  }

  static void await(Path cache) throws InterruptedException {
    while (!Files.exists(cache.resolve("plan.json"))) {
      Thread.sleep(20);
    }
  }

  Path cachePath() {
    return directory.resolve("cache");
  }

  Path students() {
    return directory.resolve("students");
  }

  static Settings settings(Path cache, Path students, String... more) {
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
