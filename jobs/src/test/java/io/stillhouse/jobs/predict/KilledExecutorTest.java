package io.stillhouse.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.LocalCluster;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills one of two executor processes while it writes predictions. */
@Tag("spark")
@Tag("slow")
class KilledExecutorTest {
  private static final int ROWS = 2500;

  @TempDir private static Path directory;

  private static SparkSession cluster;

  @BeforeAll
  static void startExecutors() throws IOException {
    cluster = LocalCluster.start();
  }

  @AfterAll
  static void stopExecutors() {
    cluster.stop();
  }

  @Test
  void losesAndRepeatsNoRow() throws Exception {
    Path table = directory.resolve("table");
    cluster
        .range(0, ROWS, 1, 1)
        .withColumn("text", functions.lit("he was wed in the bing and it is not that"))
        .write()
        .parquet(table.toString());
    AtomicInteger removed = countRemovedExecutors();

    CompletableFuture<PredictRecord> running = CompletableFuture.supplyAsync(() -> predict(table));
    while (!running.isDone() && !isWriting()) {
      Thread.sleep(20);
    }
    ProcessHandle.current().children().findFirst().orElseThrow().destroyForcibly();

    assertThat(running.get().rows()).isEqualTo(ROWS);
    assertThat(removed).hasPositiveValue();
    List<Row> rows = cluster.read().parquet(directory.resolve("out").toString()).collectAsList();
    assertThat(rows.stream().map(row -> row.getLong(0)))
        .containsExactlyInAnyOrderElementsOf(LongStream.range(0, ROWS).boxed().toList());
    assertThat(rows).noneMatch(row -> row.isNullAt(row.fieldIndex("predicted_class")));
    try (Stream<Path> left = Files.list(directory)) {
      assertThat(left.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder("table", "out");
    }
  }

  private static AtomicInteger countRemovedExecutors() {
    AtomicInteger removed = new AtomicInteger();
    cluster
        .sparkContext()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onExecutorRemoved(SparkListenerExecutorRemoved event) {
                removed.incrementAndGet();
              }
            });
    return removed;
  }

  /** Predicts in batches of a few rows, which takes some seconds. */
  private static PredictRecord predict(Path table) {
    List<String> settings = List.of("corpus.max-length=40", "predict.batch-tokens=64");
    PredictJob.Arguments arguments =
        new PredictJob.Arguments(
            Tiny.CLS.toString(), table.toString(), directory.resolve("out").toString());
    try {
      return new PredictJob(cluster, Settings.parse(null, settings), arguments).run();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns whether a task has begun to write its file. */
  private static boolean isWriting() throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.anyMatch(
          file ->
              file.getFileName().toString().startsWith("part-")
                  && file.toString().contains("_temporary")
                  && file.toString().contains("_out-"));
    } catch (UncheckedIOException | NoSuchFileException e) {
      return false; // deleted meanwhile
    }
  }
}
