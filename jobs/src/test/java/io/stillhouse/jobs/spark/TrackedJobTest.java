package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.jobs.Tiny;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("spark")
class TrackedJobTest {
  private static final String GROUP = "spark.jobGroup.id";
  private static final String DESCRIPTION = "spark.job.description";
  private static final long LONG_MILLIS = 60_000;

  /** Has a permit for each task that sleeps; tasks run in this process. */
  private static final Semaphore SLEEPING = new Semaphore(0);

  private static SparkContext context;
  private static JavaSparkContext spark;

  @BeforeAll
  static void opensSession() {
    context = Tiny.spark().sparkContext();
    spark = JavaSparkContext.fromSparkContext(context);
  }

  @AfterEach
  void clearsGroup() {
    context.clearJobGroup();
  }

  @Test
  void setsJobGroupOfTasks() {
    try (TrackedJob job = TrackedJob.start(context, "evaluate", "3 models")) {
      assertThat(job.run(TrackedJobTest::groupsOfTasks)).containsOnly("evaluate: 3 models");
    }
  }

  @Test
  void changesDescription() {
    try (TrackedJob job = TrackedJob.start(context, "train", "round 1")) {
      job.describe("round 2");
      assertThat(groupsOfTasks()).containsOnly("train: round 2");
    }
  }

  @Test
  void restoresNoGroup() {
    TrackedJob.start(context, "evaluate", "3 models").close();

    assertThat(context.getLocalProperty(GROUP)).isNull();
    assertThat(context.getLocalProperty(DESCRIPTION)).isNull();
    assertThat(context.getJobTags().size()).isZero();
  }

  @Test
  void restoresOuterGroup() {
    try (TrackedJob outer = TrackedJob.start(context, "sweep", "8 students")) {
      int tags = context.getJobTags().size();
      TrackedJob.start(context, "train small", "round 1").close();

      assertThat(context.getLocalProperty(GROUP)).isEqualTo("sweep");
      assertThat(context.getLocalProperty(DESCRIPTION)).isEqualTo("8 students");
      assertThat(context.getJobTags().size()).isEqualTo(tags);
      assertThat(outer.cancelled()).isFalse();
    }
  }

  @Test
  void addsCountsOfTasksToProgress() {
    ByteArrayOutputStream shown = new ByteArrayOutputStream();
    Progress progress =
        new Progress(
            "evaluate",
            40,
            100,
            "tokens",
            new PrintStream(shown, true, StandardCharsets.UTF_8),
            0,
            System::nanoTime);
    try (TrackedJob job = TrackedJob.start(context, "evaluate", "3 models")) {
      LongAccumulator tokens = job.count("evaluated tokens", progress);
      job.run(
          () -> {
            spark.parallelize(List.of(10, 20), 2).foreach(tokens::add);
            return null;
          });
    }
    assertThat(shown.toString(StandardCharsets.UTF_8)).startsWith("evaluate: 70 of 100 tokens in ");
  }

  @Test
  void countsFailedTasksOfItsOwnJobs() {
    try (TrackedJob outer = TrackedJob.start(context, "sweep", "8 students")) {
      try (TrackedJob job = TrackedJob.start(context, "train", "students")) {
        assertThatThrownBy(() -> job.run(TrackedJobTest::failingTask))
            .hasMessageContaining("no luck");
        assertThat(job.failedTasks())
            .containsExactly(Map.entry("java.lang.IllegalStateException", 1));
      }
      try (TrackedJob other = TrackedJob.start(context, "train", "others")) {
        groupsOfTasks();
        assertThat(other.failedTasks()).isEmpty();
      }
      assertThat(outer.failedTasks()).containsOnlyKeys("java.lang.IllegalStateException");
    }
  }

  private static List<Integer> failingTask() {
    return spark
        .parallelize(List.of(1), 1)
        .map(
            number -> {
              if (number == 1) {
                throw new IllegalStateException("no luck");
              }
              return number;
            })
        .collect();
  }

  @Test
  void reportsFinalValueOfWatchedAccumulator() {
    LongAccumulator tokens = new LongAccumulator();
    long[] last = new long[1];
    try (TrackedJob job = TrackedJob.start(context, "train", "students")) {
      job.watch("tokens", tokens, running -> last[0] = tokens.value());
      spark.parallelize(List.of(1, 2, 3), 2).foreach(tokens::add);
    }
    assertThat(last[0]).isEqualTo(6);
  }

  @Test
  void failingDisplayDoesNotFailWork() {
    try (TrackedJob job = TrackedJob.start(context, "train", "students")) {
      job.watch(
          "tokens",
          new LongAccumulator(),
          running -> {
            throw new IllegalStateException("no terminal");
          });
    }
    assertThat(context.getLocalProperty(GROUP)).isNull();
  }

  @Test
  void taskFailureIsNotCancellation() {
    try (TrackedJob job = TrackedJob.start(context, "verify", "2 files")) {
      assertThatThrownBy(
              () ->
                  job.run(
                      () ->
                          spark
                              .parallelize(List.of(1, 2), 2)
                              .map(TrackedJobTest::failure)
                              .collect()))
          .hasMessageContaining("Job 1 cancelled by an order");
      assertThat(job.cancelled()).isFalse();
    }
  }

  @Test
  void passesOnCheckedExceptions() {
    try (TrackedJob job = TrackedJob.start(context, "verify", "2 files")) {
      assertThatThrownBy(
              () ->
                  job.run(
                      () -> {
                        throw new IOException("no such file");
                      }))
          .isInstanceOf(IOException.class)
          .hasMessage("no such file");
      assertThat(job.cancelled()).isFalse();
    }
  }

  @Test
  void reportsCancelledGroup() throws Exception {
    Running running = new Running("train");
    context.cancelJobGroup("train");

    assertThat(running.cancelled()).isTrue();
  }

  @Test
  void cancelsItsOwnJobs() throws Exception {
    Running running = new Running("train");
    running.job().cancel();

    assertThat(running.cancelled()).isTrue();
  }

  @Test
  void leavesOtherJobsOfGroupAlone() throws Exception {
    Running one = new Running("sweep");
    Running other = new Running("sweep");
    one.job().cancel();

    assertThat(one.cancelled()).isTrue();
    assertThat(other.ended.isDone()).isFalse();
    other.job().cancel();
    assertThat(other.cancelled()).isTrue();
  }

  @Test
  void treatsInterruptAsCancellation() throws Exception {
    Running running = new Running("train");
    running.thread.interrupt();

    assertThat(running.cancelled()).isTrue();
  }

  @Test
  void cancelsJobsOfThreadsWhenOneFails() throws Exception {
    AtomicBoolean ended = new AtomicBoolean();
    try (TrackedJob job = TrackedJob.start(context, "cache", "2 jobs")) {
      Thread[] threads = new Thread[1];
      assertThatThrownBy(
              () ->
                  job.run(
                      () -> {
                        threads[0] =
                            new Thread(
                                () -> {
                                  try {
                                    sleepInTask();
                                  } catch (Exception e) {
                                    ended.set(true);
                                  }
                                });
                        threads[0].start();
                        SLEEPING.acquire();
                        throw new IllegalStateException("disk is full");
                      }))
          .hasMessage("disk is full");
      threads[0].join(LONG_MILLIS / 2);
    }
    assertThat(ended).isTrue();
  }

  private static int failure(int number) {
    throw new IllegalStateException("Job 1 cancelled by an order");
  }

  private static List<String> groupsOfTasks() {
    return spark
        .parallelize(IntStream.range(0, 4).boxed().toList(), 2)
        .map(
            task ->
                TaskContext.get().getLocalProperty(GROUP)
                    + ": "
                    + TaskContext.get().getLocalProperty(DESCRIPTION))
        .collect();
  }

  private static void sleepInTask() {
    spark
        .parallelize(List.of(1), 1)
        .foreach(
            one -> {
              SLEEPING.release();
              Thread.sleep(LONG_MILLIS);
            });
  }

  /** A tracked job whose task sleeps, on a thread of its own. */
  private static final class Running {
    private final CompletableFuture<TrackedJob> started = new CompletableFuture<>();
    private final CompletableFuture<Boolean> ended = new CompletableFuture<>();
    private final Thread thread;

    Running(String group) throws Exception {
      thread =
          new Thread(
              () -> {
                try (TrackedJob job = TrackedJob.start(context, group, "a task that sleeps")) {
                  started.complete(job);
                  try {
                    job.run(
                        () -> {
                          sleepInTask();
                          return null;
                        });
                  } catch (Exception e) {
                    ended.complete(job.cancelled());
                  }
                }
              });
      thread.start();
      job();
      SLEEPING.acquire();
    }

    TrackedJob job() throws ExecutionException, InterruptedException {
      return started.get();
    }

    boolean cancelled() throws Exception {
      return ended.get(LONG_MILLIS / 2, TimeUnit.MILLISECONDS);
    }
  }
}
