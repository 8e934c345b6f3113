package io.stillhouse.jobs.train.student;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.train.CheckpointStore;
import java.io.IOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Checkpoints of one student on any Hadoop file system: finished under another name, then renamed;
 * the last two are kept.
 */
public final class HadoopCheckpoints implements CheckpointStore {
  private static final int KEPT = 2;

  /** The directory, beside the checkpoints, of the moments that the workers of rounds keep. */
  public static final String MOMENTS = "moments";

  private static final String HISTORY = "history";
  private static final Gson LINE = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final Storage storage;
  private final Path directory;
  private final History history;
  private int stepsWritten;
  private int roundsWritten;

  /**
   * @param history of the run; each checkpoint adds a file of what came since the last one, and the
   *     history becomes what these files hold when the newest is read
   */
  public HadoopCheckpoints(Storage storage, Path directory, History history) {
    this.storage = storage;
    this.directory = directory;
    this.history = history;
  }

  @Override
  public String place() {
    return directory.toString();
  }

  @Override
  public Optional<java.nio.file.Path> newest() throws IOException {
    List<Path> all = all();
    if (all.isEmpty()) {
      return Optional.empty();
    }
    Path newest = all.get(all.size() - 1);
    History whole = History.empty();
    for (Path part : sorted(new Path(directory, HISTORY), "step-\\d+\\.json")) {
      if (step(part) <= step(newest)) { // beyond it lies one whose checkpoint was never finished
        whole.add(LINE.fromJson(storage.readText(part), History.class));
      }
    }
    history.become(whole);
    written();
    return Optional.of(storage.local(newest));
  }

  @Override
  public void publish(long step, java.nio.file.Path file) throws IOException {
    Path path = new Path(directory, "step-%09d.safetensors".formatted(step));
    if (!storage.exists(path)) {
      // The history first: a checkpoint that is there has it.
      storage.writeText(
          new Path(new Path(directory, HISTORY), "step-%09d.json".formatted(step)),
          LINE.toJson(history.since(stepsWritten, roundsWritten)));
      storage.publishOnce(file, path);
    }
    written();
    List<Path> all = all();
    for (Path old : all.subList(0, Math.max(0, all.size() - KEPT))) {
      storage.fileSystem(old).delete(old, false);
    }
  }

  private void written() {
    stepsWritten = history.steps().size();
    roundsWritten = history.rounds().size();
  }

  /**
   * Returns the step of the newest checkpoint. Without one, deletes what a run has left that had
   * none, or whose checkpoints somebody has deleted. For drivers, before any task writes.
   */
  public long begin() throws IOException {
    if (all().isEmpty()) {
      for (String left : List.of(HISTORY, MOMENTS)) {
        storage.fileSystem(directory).delete(new Path(directory, left), true);
      }
    }
    return newestStep();
  }

  /** Returns the step of the newest checkpoint, 0 without one; nothing is read. */
  public long newestStep() throws IOException {
    List<Path> all = all();
    return all.isEmpty() ? 0 : step(all.get(all.size() - 1));
  }

  private static long step(Path file) {
    return Long.parseLong(file.getName().replaceAll("\\D", ""));
  }

  private List<Path> all() throws IOException {
    return sorted(directory, "step-\\d+\\.safetensors");
  }

  private List<Path> sorted(Path in, String names) throws IOException {
    FileSystem fs = storage.fileSystem(in);
    if (!fs.exists(in)) {
      return List.of();
    }
    return Arrays.stream(fs.listStatus(in))
        .map(FileStatus::getPath)
        .filter(path -> path.getName().matches(names))
        .sorted(Comparator.comparing(Path::getName))
        .toList();
  }
}
