package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Trains several students on one thread while reading the rows once. The student with the fewest
 * steps takes the next step, so students that resume from older checkpoints catch up first. Every
 * student ends with the same bits as when it is trained alone.
 */
public final class Lockstep implements AutoCloseable {
  private final Prefetcher feed;
  private final long pause;
  private final List<Trainer.Run> running = new ArrayList<>();

  /** Receives the outcome of each run once, and must close the run. */
  public interface Watcher {
    /** The run took its last step, or the last one before the pause. */
    void reached(Trainer.Run run) throws IOException;

    /** The run failed. The other runs continue unless this method throws. */
    void failed(Trainer.Run run, Exception problem);

    /** Returns whether all runs are to stop now. They remain open. */
    default boolean isToStop() {
      return false;
    }
  }

  /**
   * Opens the rows.
   *
   * @param source rows with the columns of all students
   * @param students specs of students that read the rows in the same order, see {@link #sameRows}
   * @param pause the step after which runs pause, even if they have more steps
   */
  public Lockstep(TargetSource source, List<TrainSpec> students, long pause) {
    TrainSpec first = students.get(0);
    if (!students.stream().allMatch(other -> sameRows(first, other))) {
      throw new IllegalArgumentException("all students must read the rows in the same order");
    }
    RowOrder order = RowOrder.of(first, source.shardRows());
    long steps = students.stream().mapToLong(each -> each.steps(order.rows())).max().orElse(0);
    this.pause = pause;
    this.feed = new Prefetcher(source, order, Math.min(steps, pause));
  }

  /** Returns whether two students read the same rows at each step. */
  public static boolean sameRows(TrainSpec one, TrainSpec two) {
    return one.batchSize() == two.batchSize()
        && one.shuffleShards() == two.shuffleShards()
        && one.batching().order() == two.batching().order()
        && one.run().seed() == two.run().seed();
  }

  /** Adds a student, as {@link Trainer#begin} does. */
  public Trainer.Run begin(
      Trainer trainer, NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    Trainer.Run run = trainer.begin(manager, weights, teacher, feed);
    running.add(run);
    return run;
  }

  /**
   * Trains all students that were added.
   *
   * @return the runs that were to stop, between two steps; empty if all have reached their end
   */
  public List<Trainer.Run> run(Watcher watcher) {
    while (!running.isEmpty()) {
      if (watcher.isToStop()) {
        return List.copyOf(running);
      }
      Trainer.Run run =
          running.stream().min(Comparator.comparingLong(Trainer.Run::stepsDone)).orElseThrow();
      try {
        if (run.stepsDone() < pause && run.step()) {
          continue;
        }
        running.remove(run);
        watcher.reached(run);
      } catch (IOException | RuntimeException e) {
        running.remove(run);
        watcher.failed(run, e);
      }
    }
    return List.of();
  }

  /** Closes the feed and all unfinished runs. */
  @Override
  public void close() {
    running.forEach(Trainer.Run::close);
    feed.close();
  }
}
