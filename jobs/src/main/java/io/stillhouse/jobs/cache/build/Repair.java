package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.PlanStore;
import io.stillhouse.jobs.cache.layout.Staging;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Restores what a cache has lost, except targets, which are recomputed like any missing targets.
 * The plan and the teachers' records are restored from their second copies, a teacher's files from
 * the recipe's teacher, and inputs from the corpus.
 */
final class Repair {
  private static final Logger LOG = LoggerFactory.getLogger(Repair.class);

  private final Storage storage;
  private final Path cache;
  private final ManifestLog manifest;
  private final CachePlan first;
  private final TreeMap<Integer, PlanPart> grown = new TreeMap<>();
  private final TreeMap<String, CachedTeacher> teachers = new TreeMap<>();

  /** Writes the inputs of a part's shards into a directory. */
  interface Inputs {
    ShardWriter.WrittenShards write(Path directory, PlanPart part) throws IOException;
  }

  /**
   * Reads the undamaged copies of the plan and of the teachers' records, and restores lost files.
   */
  Repair(Storage storage, Path cache, ManifestLog manifest) throws IOException {
    this.storage = storage;
    this.cache = cache;
    this.manifest = manifest;
    this.first = first().requireVersion(cache);
    PlanStore files = new PlanStore(storage, cache);
    files.parts().forEach(part -> grown.put(part.firstShard(), part));
    for (PlanPart part : manifest.state().parts()) {
      if (grown.put(part.firstShard(), part) == null) {
        LOG.warn(
            "restoring '{}' from the manifest of cache '{}'", part.file(cache).getName(), cache);
        storage.writeText(part.file(cache), part.toJson());
      }
    }
    files.teachers().forEach(teacher -> teachers.put(teacher.name(), teacher));
    for (CachedTeacher teacher : manifest.state().teachers().values()) {
      if (teachers.put(teacher.name(), teacher) == null) {
        LOG.warn("restoring '{}' from the manifest", teacher.file(cache));
        storage.writeText(teacher.file(cache), teacher.toJson());
      }
    }
  }

  private CachePlan first() throws IOException {
    Path file = new Path(cache, CachePlan.FILE);
    CachePlan plan = storage.exists(file) ? CachePlan.parse(storage.readText(file)) : null;
    if (plan != null) {
      return plan;
    }
    if (!storage.exists(file) && !storage.exists(new Path(cache, ManifestLog.DIRECTORY))) {
      throw Errors.invalid(
          format("cache.path '%s' exists but is not a cache: it has no %s", cache, CachePlan.FILE),
          "name a path that does not exist yet");
    }
    CachePlan copy = manifest.state().plan();
    if (copy == null) {
      throw Errors.invalid(
          format("both copies of the plan of cache '%s' are damaged", cache),
          "delete the cache and run cache again");
    }
    LOG.warn("restoring '{}' from the manifest", file);
    storage.writeText(file, copy.toJson());
    return copy;
  }

  /** Returns the plan of the cache, with all its parts. */
  CachePlan plan() {
    return first.plus(grown.values(), cache);
  }

  /** Returns the parts of the plan. */
  List<PlanPart> parts() {
    List<PlanPart> parts = new ArrayList<>(List.of(first.part()));
    parts.addAll(grown.values());
    return parts;
  }

  /** Returns the additional teachers, by name. */
  Map<String, CachedTeacher> teachers() {
    return teachers;
  }

  /**
   * Appends entries for the parts of the plan whose entries are lost, and restores lost inputs.
   *
   * @param corpus rewrites inputs
   */
  void restore(Inputs corpus) throws IOException {
    if (manifest.state().plan() == null) {
      manifest.append(new ManifestChange.PlanAdded(first));
    }
    for (PlanPart part : grown.values()) {
      if (!manifest.state().parts().contains(part)) {
        manifest.append(new ManifestChange.PartAdded(part));
      }
    }
    for (CachedTeacher teacher : teachers.values()) {
      if (!manifest.state().teachers().containsKey(teacher.name())) {
        manifest.append(new ManifestChange.TeacherAdded(teacher));
      }
    }
    for (PlanPart part : parts()) {
      List<PlanPart.Shard> lost =
          part.shards().stream()
              .filter(shard -> manifest.state().inputs(shard.shard()).isEmpty())
              .toList();
      if (!lost.isEmpty()) {
        restoreInputs(part, lost, corpus);
      }
    }
  }

  /** Restores the files of a teacher's directory that are missing or have changed. */
  void restoreTeacher(Path home, Map<String, String> files, HuggingFaceDirectory teacher)
      throws IOException {
    for (Map.Entry<String, String> file : files.entrySet()) {
      Path path = new Path(home, file.getKey());
      if (!storage.exists(path) || !storage.sha256(path).equals(file.getValue())) {
        LOG.warn("restoring '{}' from '{}'", path, teacher.path());
        storage.fileSystem(path).delete(path, false);
        storage.publish(teacher.path().resolve(file.getKey()), path);
      }
    }
  }

  /** Rewrites the inputs of a part and keeps the files of the lost shards. */
  private void restoreInputs(PlanPart part, List<PlanPart.Shard> lost, Inputs corpus)
      throws IOException {
    LOG.warn(
        "restoring the inputs of {} shards of cache '{}' from the corpus, starting at shard {}",
        lost.size(),
        cache,
        lost.get(0).shard());
    Staging staging = new Staging(storage, cache);
    try {
      ShardWriter.WrittenShards written = corpus.write(staging.directory(), part);
      if (!written.shards().equals(part.shards())) {
        throw Errors.invalid(
            format("the corpus no longer yields the rows that cache '%s' was planned with", cache),
            "restore the corpus, or delete the cache and run cache again");
      }
      List<CacheFile> restored = new ArrayList<>();
      for (PlanPart.Shard shard : lost) {
        CacheFile file = written.files().get(shard.shard() - part.firstShard());
        storage.rename(new Path(staging.directory(), file.path()), new Path(cache, file.path()));
        restored.add(file);
      }
      manifest.append(new ManifestChange.FilesAdded(restored, List.of()));
    } finally {
      staging.delete();
    }
  }
}
