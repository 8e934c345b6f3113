package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.spec.Precision;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetChoice;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Jobs whose tasks compute nothing, for a window that the tests move. */
class RollingJobsTest {
  private final FakeWindow window = new FakeWindow();
  private final List<List<Integer>> jobs = new CopyOnWriteArrayList<>();
  private final Set<Integer> finished = new ConcurrentSkipListSet<>();
  private final Set<Integer> dropped = new ConcurrentSkipListSet<>();
  private final List<String> notes = new CopyOnWriteArrayList<>();

  /** Holds two shards, and moves on once both are finished. */
  private final class FakeWindow implements RollingJobs.ShardWindow {
    private final List<Set<Integer>> seen = new CopyOnWriteArrayList<>();
    private boolean moves = true;
    private int first;

    @Override
    public void move(Set<Integer> unfinished) {
      seen.add(unfinished);
      while (moves && finished.contains(first) && finished.contains(first + 1)) {
        first += 2;
      }
    }

    @Override
    public boolean holds(int shard) {
      return shard >= first && shard < first + 2;
    }

    @Override
    public String waitsFor() {
      return "waits at " + first;
    }
  }

  @Test
  void runsOneJobForAllShardsInWindow() throws IOException {
    run(4);

    assertThat(jobs).containsExactly(List.of(0, 1), List.of(2, 3));
  }

  @Test
  void skipsDroppedShards() throws IOException {
    dropped.add(0);
    run(2);

    assertThat(jobs).containsExactly(List.of(1));
  }

  @Test
  void tellsWindowWhichShardsAreBeingComputed() throws IOException {
    CountDownLatch moved = new CountDownLatch(1);
    RollingJobs.ShardWindow watched =
        new RollingJobs.ShardWindow() {
          @Override
          public void move(Set<Integer> unfinished) {
            window.move(unfinished);
            if (unfinished.equals(Set.of(1))) {
              moved.countDown();
            }
          }

          @Override
          public boolean holds(int shard) {
            return window.holds(shard);
          }

          @Override
          public String waitsFor() {
            return window.waitsFor();
          }
        };
    finished.add(0); // of the two shards, the second is still computed
    new RollingJobs(watched, finished::contains, dropped::contains, notes::add)
        .run(tasks(2), tasks -> await(moved));

    assertThat(window.seen).contains(Set.of(1));
  }

  @Test
  void showsWhatItWaitsForWhileIdle() throws IOException {
    window.moves = false;
    new RollingJobs(
            window,
            finished::contains,
            dropped::contains,
            note -> {
              notes.add(note);
              window.moves |= note.equals("waits at 0"); // a student goes on
            })
        .run(tasks(4), this::finish);

    assertThat(notes).contains("waits at 0");
    assertThat(jobs).containsExactly(List.of(0, 1), List.of(2, 3));
  }

  @Test
  void rethrowsExceptionOfJob() {
    IllegalStateException failure = new IllegalStateException("lost");

    assertThatThrownBy(
            () ->
                jobs()
                    .run(
                        tasks(2),
                        tasks -> {
                          throw failure;
                        }))
        .isSameAs(failure);
  }

  private void run(int shards) throws IOException {
    jobs().run(tasks(shards), this::finish);
  }

  private RollingJobs jobs() {
    return new RollingJobs(window, finished::contains, dropped::contains, notes::add);
  }

  private void finish(List<TeacherTask> tasks) {
    List<Integer> shards = tasks.stream().map(TeacherTask::shard).toList();
    jobs.add(shards);
    finished.addAll(shards);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<TeacherTask> tasks(int shards) {
    return IntStream.range(0, shards).mapToObj(RollingJobsTest::task).toList();
  }

  private static TeacherTask task(int shard) {
    return new TeacherTask(
        "cache",
        LocalCache.file(shard, Family.INPUTS, "id"),
        TargetChoice.none(Dtype.FLOAT32),
        Set.of("logits"),
        new TeacherTask.PassOptions("", 1024, Precision.FLOAT32, 1, 1));
  }
}
