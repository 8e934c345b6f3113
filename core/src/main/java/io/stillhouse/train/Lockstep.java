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
 * Trains several students on one thread from one reading of the rows. Whoever has taken the fewest
 * steps takes the next one: those that resume from older checkpoints catch up, then all go on side
 * by side. Each ends in the bits that it would have reached alone.
 */
public final class Lockstep implements AutoCloseable {
  private final Prefetcher feed;
  private final long pause;
  private final List<Trainer.Run> running = new ArrayList<>();

  /** What becomes of the runs. Each is told of once, and is closed by who is told. */
  public interface Watcher {
    /** The last step is taken, or the last one before the pause. */
    void reached(Trainer.Run run) throws IOException;

    /** The run cannot go on; the others do, unless this throws. */
    void failed(Trainer.Run run, Exception problem);
  }

  /**
   * Opens the rows.
   *
   * @param source with the columns of all students
   * @param students whose rows come in the same order, see {@link #sameRows}
   * @param pause the step after which runs stop, though they may have more
   */
  public Lockstep(TargetSource source, List<TrainSpec> students, long pause) {
    TrainSpec first = students.get(0);
    if (!students.stream().allMatch(other -> sameRows(first, other))) {
      throw new IllegalArgumentException("the rows of some students come in another order");
    }
    RowOrder order = RowOrder.of(first, source.shardRows());
    long steps = students.stream().mapToLong(each -> each.steps(order.rows())).max().orElse(0);
    this.pause = pause;
    this.feed = new Prefetcher(source, order, Math.min(steps, pause));
  }

  /** Returns whether two students see the same rows at each step that both take. */
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

  /** Trains all that have begun. */
  public void run(Watcher watcher) {
    while (!running.isEmpty()) {
      Trainer.Run run =
          running.stream().min(Comparator.comparingLong(Trainer.Run::done)).orElseThrow();
      try {
        if (run.done() < pause && run.step()) {
          continue;
        }
        running.remove(run);
        watcher.reached(run);
      } catch (IOException | RuntimeException e) {
        running.remove(run);
        watcher.failed(run, e);
      }
    }
  }

  /** Ends the reading, and what still runs. */
  @Override
  public void close() {
    running.forEach(Trainer.Run::close);
    feed.close();
  }
}
