package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checkpoints of one student on any Hadoop file system. A checkpoint is written under another name
 * and then renamed; the last two are kept.
 */
public final class HadoopCheckpoints implements CheckpointStore {
  private static final Logger LOG = LoggerFactory.getLogger(HadoopCheckpoints.class);
  private static final int KEPT = 2;

  /** The directory of the moments that workers keep between rounds, next to the checkpoints. */
  public static final String MOMENTS = "moments";

  private static final String HISTORY = "history";
  private static final Gson LINE = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final Storage storage;
  private final Path directory;
  private final History history;
  private int stepsWritten;
  private int roundsWritten;

  /**
   * @param history the history of the run; each checkpoint writes what was added since the last one
   *     to a file, and reading the newest checkpoint replaces the history with the contents of
   *     these files
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
    History merged = History.empty();
    for (Path part : sorted(new Path(directory, HISTORY), "step-\\d+\\.json")) {
      if (step(part) <= step(newest)) { // later ones belong to an unfinished checkpoint
        merged.add(LINE.fromJson(storage.readText(part), History.class));
      }
    }
    history.replaceBy(merged);
    written();
    return Optional.of(storage.local(newest));
  }

  @Override
  public void publish(long step, java.nio.file.Path file) throws IOException {
    Path path = new Path(directory, format("step-%09d.safetensors", step));
    if (!storage.exists(path)) {
      // The history comes first, so that every checkpoint has one.
      storage.writeText(
          new Path(new Path(directory, HISTORY), format("step-%09d.json", step)),
          LINE.toJson(history.since(stepsWritten, roundsWritten)));
      storage.publishOnce(file, path);
      LOG.info("checkpoint of step {} written to '{}'", step, path);
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
   * Returns the step of the newest checkpoint. If there is none, returns 0 and deletes histories
   * and moments that an earlier run left behind. Drivers call this before any task writes.
   */
  public long begin() throws IOException {
    if (all().isEmpty()) {
      for (String left : List.of(HISTORY, MOMENTS)) {
        storage.fileSystem(directory).delete(new Path(directory, left), true);
      }
    }
    return newestStep();
  }

  /** Returns the step of the newest checkpoint, or 0 if there is none. No checkpoint is read. */
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
