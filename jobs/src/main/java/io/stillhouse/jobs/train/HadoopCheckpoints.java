package io.stillhouse.jobs.train;

import io.stillhouse.jobs.cache.Storage;
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
final class HadoopCheckpoints implements CheckpointStore {
  private static final int KEPT = 2;

  private final Storage storage;
  private final Path directory;
  private final History history;

  /**
   * @param history of the run; it becomes the newest checkpoint's when that is read
   */
  HadoopCheckpoints(Storage storage, Path directory, History history) {
    this.storage = storage;
    this.directory = directory;
    this.history = history;
  }

  @Override
  public Optional<java.nio.file.Path> newest() throws IOException {
    List<Path> all = all();
    if (all.isEmpty()) {
      return Optional.empty();
    }
    Path newest = all.get(all.size() - 1);
    history.become(Storage.JSON.fromJson(storage.readText(historyOf(newest)), History.class));
    return Optional.of(storage.local(newest));
  }

  @Override
  public void publish(long step, java.nio.file.Path file) throws IOException {
    Path path = new Path(directory, "step-%09d.safetensors".formatted(step));
    if (!storage.exists(path)) {
      // The history first: a checkpoint that is there has it.
      storage.writeJson(historyOf(path), history);
      storage.publishOnce(file, path);
    }
    List<Path> all = all();
    for (Path old : all.subList(0, Math.max(0, all.size() - KEPT))) {
      storage.fileSystem(old).delete(old, false);
      storage.fileSystem(old).delete(historyOf(old), false);
    }
  }

  /** Returns the step of the newest checkpoint, 0 without one; nothing is read. */
  long newestStep() throws IOException {
    List<Path> all = all();
    return all.isEmpty()
        ? 0
        : Long.parseLong(all.get(all.size() - 1).getName().replaceAll("\\D", ""));
  }

  private static Path historyOf(Path checkpoint) {
    return new Path(checkpoint.getParent(), checkpoint.getName().replace(".safetensors", ".json"));
  }

  private List<Path> all() throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return List.of();
    }
    return Arrays.stream(fs.listStatus(directory))
        .map(FileStatus::getPath)
        .filter(path -> path.getName().matches("step-\\d+\\.safetensors"))
        .sorted(Comparator.comparing(Path::getName))
        .toList();
  }
}
