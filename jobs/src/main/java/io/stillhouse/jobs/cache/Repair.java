package io.stillhouse.jobs.cache;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.fs.Path;

/**
 * Restores what a cache lost besides targets, which are computed anew as any that miss: its plan
 * from the other copy, its teacher from the recipe's, its inputs from the corpus.
 */
final class Repair {
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;

  /** Writes the inputs of every unit into a directory. */
  interface Inputs {
    Planner.Planned write(Path directory) throws IOException;
  }

  Repair(Storage storage, Path cache, HuggingFaceDirectory teacher) {
    this.storage = storage;
    this.cache = cache;
    this.teacher = teacher;
  }

  /** Returns the plan of a cache, from whichever copy is sound, and restores {@code plan.json}. */
  static Plan plan(Storage storage, Path cache) throws IOException {
    Path file = new Path(cache, Plan.FILE);
    Plan plan = storage.exists(file) ? Plan.parse(storage.readText(file)) : null;
    if (plan != null) {
      return plan;
    }
    if (!storage.exists(file) && !storage.exists(new Path(cache, Manifest.DIRECTORY))) {
      throw Errors.invalid(
          "cache.path '%s' exists but is not a cache: it has no %s".formatted(cache, Plan.FILE),
          "name a path that does not exist yet");
    }
    Plan copy = Manifest.survey(storage, cache).plan();
    if (copy == null) {
      throw Errors.invalid(
          "both copies of the plan of cache '%s' are damaged".formatted(cache),
          "delete the cache and run cache again");
    }
    storage.writeText(file, copy.toJson());
    return copy;
  }

  void restore(Plan plan, Manifest manifest, Inputs corpus) throws IOException {
    if (manifest.plan() == null) {
      manifest.append(Manifest.Entry.first(plan));
    }
    restoreTeacher(plan);
    List<Plan.Unit> lost =
        plan.units().stream().filter(unit -> !manifest.has(unit.unit(), Targets.ID)).toList();
    if (!lost.isEmpty()) {
      restoreInputs(plan, manifest, lost, corpus);
    }
  }

  private void restoreTeacher(Plan plan) throws IOException {
    Path home = new Path(cache, CacheJob.TEACHER);
    for (Map.Entry<String, String> file : plan.teacherFiles().entrySet()) {
      Path path = new Path(home, file.getKey());
      if (!storage.exists(path) || !storage.sha256(path).equals(file.getValue())) {
        storage.fileSystem(path).delete(path, false);
        storage.publish(teacher.path().resolve(file.getKey()), path);
      }
    }
  }

  /** Plans again, and takes the files of the lost units. */
  private void restoreInputs(Plan plan, Manifest manifest, List<Plan.Unit> lost, Inputs corpus)
      throws IOException {
    Path staging =
        new Path(
            cache.getParent(),
            "_%s-planning-%s"
                .formatted(cache.getName(), UUID.randomUUID().toString().substring(0, 8)));
    try {
      Planner.Planned planned = corpus.write(staging);
      if (!planned.units().equals(plan.units())) {
        throw Errors.invalid(
            "the corpus no longer gives the rows that cache '%s' was planned with".formatted(cache),
            "restore the corpus, or delete the cache and run cache again");
      }
      List<CacheFile> restored = new ArrayList<>();
      for (Plan.Unit unit : lost) {
        CacheFile file = planned.files().get(unit.unit());
        storage.rename(new Path(staging, file.path()), new Path(cache, file.path()));
        restored.add(file);
      }
      manifest.append(Manifest.Entry.added(restored, List.of()));
    } finally {
      storage.fileSystem(staging).delete(staging, true);
    }
  }
}
