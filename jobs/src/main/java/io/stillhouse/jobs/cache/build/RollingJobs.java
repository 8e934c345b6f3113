package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.spark.GracefulStop;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.IntPredicate;

/**
 * Runs tasks in concurrent Spark jobs as a window allows: one job for all shards that the window
 * has reached since the last check.
 *
 * @param finished whether the manifest has all targets of a shard
 * @param dropped whether a shard no longer needs to be computed
 * @param waiting receives a description of what the jobs wait for, or "" if they do not wait
 */
record RollingJobs(
    ShardWindow window, IntPredicate finished, IntPredicate dropped, Consumer<String> waiting) {
  private static final long CHECK_MILLIS = 200;

  /** Decides which shards may be computed. */
  interface ShardWindow {
    /**
     * Moves the window past the shards that every student has read.
     *
     * @param unfinished shards that are being computed
     */
    void move(Set<Integer> unfinished) throws IOException;

    /** Returns whether a shard may be computed. */
    boolean holds(int shard);

    /** Returns what the window waits for, if it holds no shard that is to be computed. */
    String waitsFor();
  }

  /** Runs all tasks, in the order of their shards; {@code job} runs the tasks that it receives. */
  void run(List<TeacherTask> tasks, Consumer<List<TeacherTask>> job) throws IOException {
    Deque<TeacherTask> left = new ArrayDeque<>(tasks);
    Map<Future<?>, List<TeacherTask>> running = new HashMap<>();
    ExecutorService threads =
        Executors.newCachedThreadPool(
            task -> {
              Thread thread = new Thread(task, "teacher-job");
              thread.setDaemon(true);
              return thread;
            });
    try {
      while (true) {
        removeEnded(running);
        window.move(unfinished(running));
        List<TeacherTask> ready = takeReady(left);
        if (!ready.isEmpty()) {
          running.put(threads.submit(() -> job.accept(ready)), ready);
        } else if (left.isEmpty() && running.isEmpty()) {
          return;
        }
        if (running.isEmpty()) {
          GracefulStop.check(); // there is no Spark job whose end would stop the command
        }
        waiting.accept(running.isEmpty() ? window.waitsFor() : "");
        Thread.sleep(CHECK_MILLIS);
      }
    } catch (ExecutionException e) {
      throw RollingJobs.<RuntimeException>unwrap(Objects.requireNonNull(e.getCause()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  private static void removeEnded(Map<Future<?>, List<TeacherTask>> running)
      throws ExecutionException, InterruptedException {
    for (Future<?> job : List.copyOf(running.keySet())) {
      if (job.isDone()) {
        running.remove(job);
        job.get();
      }
    }
  }

  /** Removes the tasks that the window holds, and tasks before them that are no longer needed. */
  private List<TeacherTask> takeReady(Deque<TeacherTask> left) {
    while (!left.isEmpty() && dropped.test(left.element().shard())) {
      left.remove();
    }
    List<TeacherTask> ready = new ArrayList<>();
    while (!left.isEmpty() && window.holds(left.element().shard())) {
      ready.add(left.remove());
    }
    return ready;
  }

  private Set<Integer> unfinished(Map<Future<?>, List<TeacherTask>> running) {
    Set<Integer> shards = new HashSet<>();
    for (List<TeacherTask> tasks : running.values()) {
      tasks.stream().map(TeacherTask::shard).filter(s -> !finished.test(s)).forEach(shards::add);
    }
    return shards;
  }

  /** Rethrows the exception of a job: Spark throws checked exceptions that it does not declare. */
  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E unwrap(Throwable cause) throws E {
    throw (E) cause;
  }
}
