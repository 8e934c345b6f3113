package io.stillhouse.jobs.cache.build;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Runs tasks in Spark jobs side by side, as a window lets them: one job for all shards that it has
 * come to hold since the last look.
 *
 * @param finished whether a shard's targets count
 * @param dropped whether a shard need not be computed any more
 * @param waiting is told what this waits for, or "" where it does not
 */
record RollingJobs(
    RollingWindow window,
    Predicate<Integer> finished,
    Predicate<Integer> dropped,
    Consumer<String> waiting) {
  private static final long LOOKS_MILLIS = 200;

  /** Runs all tasks, in the order of their shards, each list of them as one job. */
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
        for (Future<?> each : List.copyOf(running.keySet())) {
          if (each.isDone()) {
            running.remove(each);
            each.get();
          }
        }
        window.move(unfinished(running));
        while (!left.isEmpty() && dropped.test(left.peek().shard())) {
          left.remove();
        }
        List<TeacherTask> free = new ArrayList<>();
        while (!left.isEmpty() && window.holds(left.peek().shard())) {
          free.add(left.remove());
        }
        if (!free.isEmpty()) {
          running.put(threads.submit(() -> job.accept(free)), free);
        } else if (left.isEmpty() && running.isEmpty()) {
          return;
        }
        waiting.accept(running.isEmpty() ? window.waitsFor() : "");
        Thread.sleep(LOOKS_MILLIS);
      }
    } catch (ExecutionException e) {
      throw RollingJobs.<RuntimeException>unwrapped(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      threads.shutdownNow();
    }
  }

  private Set<Integer> unfinished(Map<Future<?>, List<TeacherTask>> running) {
    Set<Integer> shards = new HashSet<>();
    running
        .values()
        .forEach(
            tasks ->
                tasks.stream()
                    .map(TeacherTask::shard)
                    .filter(finished.negate())
                    .forEach(shards::add));
    return shards;
  }

  /** Returns what a job threw: Spark throws checked exceptions that it does not declare. */
  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E unwrapped(Throwable cause) throws E {
    throw (E) cause;
  }
}
