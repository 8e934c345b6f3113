package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.Acknowledgements;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.PlannedReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.train.CheckpointStore;
import io.stillhouse.train.ShardSchedule;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The student's side of a cache with a rolling window. It waits for shards, and acknowledges those
 * that no step after its newest checkpoint reads, so that the cache may drop them. For a cache
 * without a window, all methods do nothing.
 */
public final class TrainingWindow {
  private final StudentRun run;
  private final Storage storage;
  private final Path cache;
  private final CacheReader cacheReader;
  private final PlannedReader reader;
  private final List<Integer> shardRows;
  private final @Nullable Window window;
  private final Acknowledgements acknowledgements;
  private @Nullable ShardSchedule schedule;

  /**
   * @param reader the reader of the student's cache; a thread that waits for shards needs its own
   */
  public TrainingWindow(StudentRun run, Storage storage, CacheReader reader) {
    this.run = run;
    this.storage = storage;
    this.cache = new Path(run.paths().cache());
    this.cacheReader = reader;
    this.reader = new PlannedReader(reader);
    this.shardRows = this.reader.shardRows();
    this.window = reader.plan().window();
    this.acknowledgements = new Acknowledgements(storage, cache);
  }

  /** Opens the current state of the student's cache. */
  public static TrainingWindow open(StudentRun run, Storage storage) throws IOException {
    StudentRun.Paths paths = run.paths();
    return new TrainingWindow(
        run,
        storage,
        CacheReader.open(storage, new Path(paths.cache()), paths.teacher(), List.of()));
  }

  /** Returns whether the cache has a window. */
  public boolean exists() {
    return window != null;
  }

  /** Creates the schedule on the first call, because a recipe without a window may have none. */
  private ShardSchedule schedule() {
    ShardSchedule created = schedule;
    if (created == null) {
      created = new ShardSchedule(run.train(), shardRows);
      schedule = created;
    }
    return created;
  }

  /**
   * Requires that the student can be trained from the current state of the window; nothing is
   * written.
   *
   * @param columns the tensor columns that the student reads
   * @throws io.stillhouse.error.StillhouseException if the student reads shards in another order,
   *     more than once, or more at once than the window holds; if it needs a shard that has been
   *     dropped; or if the window waits for another student of the same name
   */
  public void requireFits(Collection<Column> columns) throws IOException {
    if (window == null) {
      return;
    }
    WindowFit.require(cache, window.shards(), shardRows, run.train());
    requireOwnName();
    cacheReader.with(columns).requireNoneDropped(schedule().shardsFinished(newestStep()));
  }

  private void requireOwnName() throws IOException {
    Acknowledgements.Student known = acknowledgements.of(run.name());
    if (known != null && !known.directory().equals(Secrets.hiddenIn(run.paths().students()))) {
      throw Errors.invalid(
          format(
              "the window of cache '%s' waits for a student '%s' in '%s', but this one would be in"
                  + " '%s'",
              cache, run.name(), known.directory(), run.paths().students()),
          format(
              "choose another student.name, or, if the other is no longer needed, delete '%s'",
              acknowledgements.file(run.name())));
    }
  }

  private long newestStep() throws IOException {
    return new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).newestStep();
  }

  /** Registers the student, so that the window keeps every shard that it still needs. */
  public void register() throws IOException {
    if (window != null) {
      acknowledge(schedule().shardsFinished(newestStep()));
    }
  }

  /** Acknowledges all shards, because the student is finished. */
  public void finished() throws IOException {
    if (window != null) {
      acknowledge(shardRows.size());
    }
  }

  private void acknowledge(int needs) throws IOException {
    acknowledgements.write(new Acknowledgements.Student(run.name(), run.paths().students(), needs));
  }

  /**
   * Returns a store that acknowledges shards after each checkpoint, and requests checkpoints when
   * the window needs them.
   */
  public CheckpointStore acknowledging(CheckpointStore checkpoints) throws IOException {
    if (window == null) {
      return checkpoints;
    }
    Acknowledgements.Student known = acknowledgements.of(run.name());
    int stride = WindowFit.checkpointStride(window.shards(), schedule().maxLiveShards());
    return new Acknowledging(checkpoints, stride, known == null ? 0 : known.needs());
  }

  private final class Acknowledging implements CheckpointStore {
    private final CheckpointStore checkpoints;
    private final int stride;
    private int acknowledged;

    Acknowledging(CheckpointStore checkpoints, int stride, int acknowledged) {
      this.checkpoints = checkpoints;
      this.stride = stride;
      this.acknowledged = acknowledged;
    }

    @Override
    public String place() {
      return checkpoints.place();
    }

    @Override
    public Optional<java.nio.file.Path> newest() throws IOException {
      return checkpoints.newest();
    }

    @Override
    public void publish(long step, java.nio.file.Path file) throws IOException {
      checkpoints.publish(step, file);
      int done = schedule().shardsFinished(step);
      if (done > acknowledged) {
        acknowledge(done);
        acknowledged = done;
      }
    }

    @Override
    public boolean isRequested(long step) {
      return schedule().shardsFinished(step) >= acknowledged + stride;
    }
  }

  /** Waits for the shards that the steps before {@code end} read. */
  public void await(long end) throws IOException {
    if (window != null) {
      for (int shard = 0; shard < schedule().shardsStarted(end); shard++) {
        reader.await(shard);
      }
    }
  }

  /**
   * Describes what the student waits for.
   *
   * @param steps the number of finished steps
   * @return a phrase, or "" if it does not wait
   */
  public String waitsFor(long steps) {
    if (window == null || steps >= schedule().steps()) {
      return "";
    }
    try {
      TrainSpec.Rounds rounds = run.train().rounds();
      long stride = rounds.used() ? (long) rounds.workers() * rounds.steps() : 1;
      OptionalInt shard =
          reader.unfinished(
              schedule().shardsFinished(steps),
              schedule().shardsStarted((steps / stride + 1) * stride));
      return shard.isEmpty()
          ? ""
          : format(
              "%s waits for shard %d of the cache%s",
              run.name(),
              shard.getAsInt(),
              PlannedReader.isBeingWritten(storage, cache)
                  ? ""
                  : ", but no cache command is running; start it again");
    } catch (IOException | StillhouseException e) {
      return ""; // reported by the task that reads the shard
    }
  }
}
