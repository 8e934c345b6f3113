package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * A cache whose plan is being brought up to date with a recipe: it is checked against the recipe,
 * what it has lost is restored, and the recipe's new text is added.
 */
final class OpenCache {
  private final CacheContext context;
  private final Storage storage;
  private final Path cache;
  private final CorpusPlanner planner;
  private final HuggingFaceDirectory teacher;
  private final @Nullable Window window;
  private final HashedCorpus corpus;
  private final Map<String, String> fingerprints;
  private final ManifestLog manifest;
  private final Repair repair;

  /**
   * The plan that a cache has for a teacher after everything that was lost has been restored.
   *
   * @param corpus which files of the recipe the plan has, and which are new
   */
  record Restored(CachePlan plan, CorpusMatch corpus) {
    boolean hasNewText() {
      return !corpus.addedPaths().isEmpty();
    }
  }

  private OpenCache(
      CacheContext context,
      CorpusPlanner planner,
      HuggingFaceDirectory teacher,
      @Nullable Window window)
      throws IOException {
    this.context = context;
    this.storage = context.storage();
    this.cache = context.cache();
    this.planner = planner;
    this.teacher = teacher;
    this.window = window;
    this.corpus = HashedCorpus.of(context);
    this.fingerprints = Fingerprints.of(context.settings(), storage, teacher, corpus.hashes());
    if (!storage.exists(cache)) {
      planner.create(teacher, fingerprints, corpus, window);
    }
    this.manifest = ManifestLog.readUndamaged(storage, cache);
    this.repair = new Repair(storage, cache, manifest);
  }

  /**
   * Opens a cache, or plans it if it does not exist.
   *
   * @param teacher teacher whose targets the recipe requests
   * @param window window that the recipe requests; null to hold all targets
   */
  static OpenCache openOrCreate(
      CacheContext context,
      CorpusPlanner planner,
      HuggingFaceDirectory teacher,
      @Nullable Window window)
      throws IOException {
    return new OpenCache(context, planner, teacher, window);
  }

  ManifestLog manifest() {
    return manifest;
  }

  /** Restores what the cache has lost, for a run of its first teacher. */
  Restored restore() throws IOException {
    CachePlan plan = repair.plan();
    CorpusMatch match = requireFit(plan);
    repair.restoreTeacher(TeacherFolder.model(cache, ""), plan.teacherFiles(), teacher);
    restoreInputs(match);
    return new Restored(plan, match);
  }

  /**
   * Restores what the cache has lost, for a run of an additional teacher, and adds the teacher if
   * the cache does not have it yet.
   *
   * @throws StillhouseException if the teacher cannot use the rows of the cache
   */
  Restored restore(String name) throws IOException {
    CachedTeacher known = repair.teachers().get(name);
    CachedTeacher additional =
        known != null
            ? known
            : CachedTeacher.of(name, fingerprints, Fingerprints.directory(storage, teacher.path()));
    CachePlan plan = repair.plan().of(additional);
    if (plan.window() != null) {
      requireNoWindow("keeps the targets of one teacher");
    }
    CorpusMatch match = requireFit(plan);
    restoreInputs(match);
    if (known == null) {
      new TeacherFit(CacheReader.teacher(storage, cache), teacher, name)
          .require(storage, cache, manifest);
      manifest.append(new ManifestChange.TeacherAdded(additional));
      storage.writeText(additional.file(cache), additional.toJson());
    }
    repair.restoreTeacher(TeacherFolder.model(cache, name), additional.files(), teacher);
    return new Restored(plan, match);
  }

  /** Adds the recipe's new text to the plan. */
  CachePlan grow(Restored restored) throws IOException {
    requireNoWindow("cannot grow by more text");
    return new CacheGrowth(context, planner).grow(restored.plan(), manifest, restored.corpus());
  }

  /**
   * Requires that the cache was built as the recipe specifies, and that its manifest is undamaged.
   */
  private CorpusMatch requireFit(CachePlan plan) throws IOException {
    plan.requireSame(cache, fingerprints);
    Window.requireSame(cache, plan.window(), window);
    CorpusMatch match = new CorpusMatch(cache, repair.parts(), corpus);
    manifest.requireUndamaged();
    plan.requireAllShards(cache, manifest.state());
    return match;
  }

  private void restoreInputs(CorpusMatch match) throws IOException {
    repair.restore((directory, part) -> planner.rewrite(directory, part, match.of(part)));
  }

  private void requireNoWindow(String why) {
    if (window != null) {
      throw Errors.invalid(
          format(
              "cache '%s' has a window (%s) and %s, since dropped shards are not computed again",
              cache, Options.CACHE_WINDOW.key(), why),
          "build another cache for it");
    }
  }
}
