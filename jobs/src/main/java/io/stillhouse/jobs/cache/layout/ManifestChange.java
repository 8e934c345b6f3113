package io.stillhouse.jobs.cache.layout;

import io.stillhouse.target.Family;
import java.util.Collection;
import java.util.List;

/** A change to a cache, recorded by one entry of its manifest. */
public sealed interface ManifestChange {
  /** Applies this change to a state that is being built. */
  void applyTo(CacheState.Builder state);

  /** Writes this change into the members of an entry. */
  void writeTo(ManifestEntry entry);

  /** The first part of the plan, with its inputs. */
  record PlanAdded(CachePlan plan) implements ManifestChange {
    @Override
    public void applyTo(CacheState.Builder state) {
      state.setPlan(plan);
      plan.inputs().forEach(state::addFile);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.plan = plan;
      entry.files = plan.inputs();
    }
  }

  /** A later part of the plan, with its inputs. */
  record PartAdded(PlanPart part) implements ManifestChange {
    @Override
    public void applyTo(CacheState.Builder state) {
      state.addPart(part);
      part.inputs().forEach(state::addFile);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.part = part;
      entry.files = part.inputs();
    }
  }

  /** An additional teacher, whose targets may follow. */
  record TeacherAdded(CachedTeacher teacher) implements ManifestChange {
    @Override
    public void applyTo(CacheState.Builder state) {
      state.addTeacher(teacher);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.teacher = teacher;
    }
  }

  /**
   * Data files, and the rows for which their teacher's output is not finite.
   *
   * @param files data files of one shard and one teacher, or restored inputs
   * @param invalid rows whose targets are null in these files
   */
  record FilesAdded(List<CacheFile> files, List<InvalidRow> invalid) implements ManifestChange {
    public FilesAdded {
      files = List.copyOf(files);
      invalid = List.copyOf(invalid);
    }

    @Override
    public void applyTo(CacheState.Builder state) {
      files.forEach(state::addFile);
      invalid.forEach(state::addInvalid);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.files = files;
      entry.invalid = invalid.isEmpty() ? null : invalid;
    }
  }

  /**
   * Damaged files and entries, which are given up so that the next {@code cache} restores what they
   * held.
   *
   * @param paths paths of files that no longer belong to the cache
   * @param entries numbers of manifest entries that are damaged or missing
   */
  record Revoked(List<String> paths, List<Integer> entries) implements ManifestChange {
    public Revoked {
      paths = List.copyOf(paths);
      entries = List.copyOf(entries);
    }

    public Revoked(Collection<String> paths, Collection<Integer> entries) {
      this(List.copyOf(paths), List.copyOf(entries));
    }

    @Override
    public void applyTo(CacheState.Builder state) {
      state.revoke(paths, entries);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.revoked = paths;
      entry.lost = entries;
    }
  }

  /**
   * Shards that a rolling window has passed. Their targets are dropped permanently; their inputs
   * remain.
   *
   * @param students names of the students that had read the shards
   */
  record TargetsDropped(List<Integer> shards, List<String> students) implements ManifestChange {
    public TargetsDropped {
      shards = List.copyOf(shards);
      students = List.copyOf(students);
    }

    /** Returns whether dropping the targets of a file's shard drops the file. */
    static boolean drops(CacheFile file) {
      return !file.family().equals(Family.INPUTS.id());
    }

    @Override
    public void applyTo(CacheState.Builder state) {
      state.dropTargets(this);
    }

    @Override
    public void writeTo(ManifestEntry entry) {
      entry.dropped = this;
    }
  }
}
