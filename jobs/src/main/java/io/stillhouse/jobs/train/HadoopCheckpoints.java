package io.stillhouse.jobs.train;

import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.train.CheckpointStore;
import io.stillhouse.train.StepReport;
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
  private final List<StepReport> reports;

  /**
   * @param reports of every step so far; filled from the newest checkpoint when that is read
   */
  HadoopCheckpoints(Storage storage, Path directory, List<StepReport> reports) {
    this.storage = storage;
    this.directory = directory;
    this.reports = reports;
  }

  @Override
  public Optional<java.nio.file.Path> newest() throws IOException {
    List<Path> all = all();
    if (all.isEmpty()) {
      return Optional.empty();
    }
    Path newest = all.get(all.size() - 1);
    reports.clear();
    if (storage.exists(reportsOf(newest))) {
      String json = storage.readText(reportsOf(newest));
      reports.addAll(List.of(Storage.JSON.fromJson(json, StepReport[].class)));
    }
    return Optional.of(storage.local(newest));
  }

  @Override
  public void publish(long step, java.nio.file.Path file) throws IOException {
    Path path = new Path(directory, "step-%09d.safetensors".formatted(step));
    if (!storage.exists(path)) {
      // The reports first: a checkpoint that is there has them.
      storage.writeJson(reportsOf(path), reports);
      storage.publish(file, path);
    }
    List<Path> all = all();
    for (Path old : all.subList(0, Math.max(0, all.size() - KEPT))) {
      storage.fileSystem(old).delete(old, false);
      storage.fileSystem(old).delete(reportsOf(old), false);
    }
  }

  /** Returns the step of the newest checkpoint, 0 without one; nothing is read. */
  long newestStep() throws IOException {
    List<Path> all = all();
    return all.isEmpty()
        ? 0
        : Long.parseLong(all.get(all.size() - 1).getName().replaceAll("\\D", ""));
  }

  private static Path reportsOf(Path checkpoint) {
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
