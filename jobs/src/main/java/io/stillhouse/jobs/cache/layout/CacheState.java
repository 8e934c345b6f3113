package io.stillhouse.jobs.cache.layout;

import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The contents of a cache after some entries of its manifest: its plan, teachers, data files and
 * invalid rows. Immutable; {@link ManifestChange}s lead from one state to the next.
 */
public final class CacheState {
  static final CacheState EMPTY = new CacheState(new Builder());

  private final @Nullable CachePlan plan;
  private final Map<Integer, PlanPart> parts;
  private final Map<String, CachedTeacher> teachers;
  private final Map<String, CacheFile> files;
  private final Map<Integer, Map<ColumnKey, CacheFile>> columns;
  private final Map<ShardKey, Map<String, String>> invalid;
  private final Map<Integer, ManifestChange.TargetsDropped> dropped;
  private final long droppedBytes;
  private final Revoked revoked;

  /** Numbers of damaged files and manifest entries that were given up. */
  public record Revoked(int files, int entries) {}

  private record ColumnKey(String teacher, String family, String column) {}

  private record ShardKey(String teacher, int shard) {}

  private CacheState(Builder builder) {
    this.plan = builder.plan;
    this.parts = Collections.unmodifiableMap(builder.parts);
    this.teachers = Collections.unmodifiableMap(builder.teachers);
    this.files = Collections.unmodifiableMap(builder.files);
    this.columns = Collections.unmodifiableMap(builder.columns);
    this.invalid = Collections.unmodifiableMap(builder.invalid);
    this.dropped = Collections.unmodifiableMap(builder.dropped);
    this.droppedBytes = builder.droppedBytes;
    this.revoked = builder.revoked;
  }

  /** Returns the state after applying changes in order. */
  CacheState with(List<? extends ManifestChange> changes) {
    Builder builder = new Builder(this);
    changes.forEach(change -> change.applyTo(builder));
    return new CacheState(builder);
  }

  /** Returns the first part of the plan, or null if the entry that holds it is damaged. */
  public @Nullable CachePlan plan() {
    return plan;
  }

  /** Returns the later parts of the plan, in order. */
  public List<PlanPart> parts() {
    return List.copyOf(parts.values());
  }

  /** Returns the additional teachers, by name. */
  public Map<String, CachedTeacher> teachers() {
    return teachers;
  }

  /** Returns the names of all teachers; the first has the name "". */
  public List<String> allTeachers() {
    List<String> all = new ArrayList<>(List.of(""));
    all.addAll(teachers.keySet());
    return all;
  }

  /** Returns the data files, in the order in which they were added. */
  public List<CacheFile> files() {
    return List.copyOf(files.values());
  }

  /** Returns the rows of a shard for which a teacher's output is not finite, with the reason. */
  public Map<String, String> invalid(int shard, String teacher) {
    return invalid.getOrDefault(new ShardKey(teacher, shard), Map.of());
  }

  /** Returns the number of rows of all shards for which a teacher's output is not finite. */
  public long invalidRows(String teacher) {
    return invalid.entrySet().stream()
        .filter(shard -> shard.getKey().teacher().equals(teacher))
        .mapToLong(shard -> shard.getValue().size())
        .sum();
  }

  /** Returns the file of a shard's inputs. */
  public Optional<CacheFile> inputs(int shard) {
    return find(shard, "", Targets.ID);
  }

  /** Returns the file of a shard that holds a column of a teacher's targets. */
  public Optional<CacheFile> find(int shard, String teacher, Column column) {
    return Optional.ofNullable(
        columns
            .getOrDefault(shard, Map.of())
            .get(new ColumnKey(teacher, column.family().id(), column.name())));
  }

  /** Returns whether a shard has a column of a teacher's targets. */
  public boolean has(int shard, String teacher, Column column) {
    return find(shard, teacher, column).isPresent();
  }

  /** Returns the shards whose targets were dropped, each with the change that dropped them. */
  public Map<Integer, ManifestChange.TargetsDropped> dropped() {
    return dropped;
  }

  /** Returns whether a shard's targets were dropped. */
  public boolean isDropped(int shard) {
    return dropped.containsKey(shard);
  }

  /** Returns the total size in bytes of all dropped files. */
  public long droppedBytes() {
    return droppedBytes;
  }

  /** Returns how many damaged files and manifest entries were given up so far. */
  public Revoked revoked() {
    return revoked;
  }

  /** Returns whether a shard has all targets of a window, or had them before it was dropped. */
  public boolean isFinished(int shard, Window window) {
    return isDropped(shard)
        || window.columns().stream().allMatch(name -> has(shard, "", Targets.named(name)));
  }

  /** Returns the names of all tensor columns of a teacher that some shard has. */
  public Set<String> columns(String teacher) {
    Set<String> names = new TreeSet<>();
    files.values().stream()
        .filter(file -> file.teacher().equals(teacher))
        .filter(file -> !file.family().equals(Family.INPUTS.id()))
        .forEach(file -> names.addAll(file.columns()));
    names.removeAll(Set.of("id", "length"));
    return names;
  }

  /** Builds a state. The map of a shard is replaced, never modified, because states share it. */
  static final class Builder {
    private @Nullable CachePlan plan;
    private final Map<Integer, PlanPart> parts = new TreeMap<>();
    private final Map<String, CachedTeacher> teachers = new TreeMap<>();
    private final Map<String, CacheFile> files = new LinkedHashMap<>();
    private final Map<Integer, Map<ColumnKey, CacheFile>> columns = new HashMap<>();
    private final Map<ShardKey, Map<String, String>> invalid = new HashMap<>();
    private final Map<Integer, ManifestChange.TargetsDropped> dropped = new TreeMap<>();
    private long droppedBytes;
    private Revoked revoked = new Revoked(0, 0);

    private Builder() {}

    private Builder(CacheState state) {
      plan = state.plan;
      parts.putAll(state.parts);
      teachers.putAll(state.teachers);
      files.putAll(state.files);
      columns.putAll(state.columns);
      invalid.putAll(state.invalid);
      dropped.putAll(state.dropped);
      droppedBytes = state.droppedBytes;
      revoked = state.revoked;
    }

    void setPlan(CachePlan plan) {
      this.plan = plan;
    }

    void addPart(PlanPart part) {
      parts.put(part.firstShard(), part);
    }

    void addTeacher(CachedTeacher teacher) {
      teachers.put(teacher.name(), teacher);
    }

    /** Adds a file, unless it holds targets of a shard that has been dropped. */
    void addFile(CacheFile file) {
      if (dropped.containsKey(file.shard()) && ManifestChange.TargetsDropped.drops(file)) {
        return;
      }
      files.put(file.path(), file);
      Map<ColumnKey, CacheFile> shard = new HashMap<>(columns.getOrDefault(file.shard(), Map.of()));
      // The first file that holds a column is used: a later one repeats what a lost entry recorded.
      file.columns()
          .forEach(
              name -> shard.putIfAbsent(new ColumnKey(file.teacher(), file.family(), name), file));
      columns.put(file.shard(), shard);
    }

    void addInvalid(InvalidRow row) {
      ShardKey key = new ShardKey(row.teacher(), row.shard());
      Map<String, String> rows = new TreeMap<>(invalid.getOrDefault(key, Map.of()));
      rows.put(row.id(), row.reason());
      invalid.put(key, rows);
    }

    void revoke(List<String> paths, List<Integer> entries) {
      paths.forEach(this::removeFile);
      revoked = new Revoked(revoked.files() + paths.size(), revoked.entries() + entries.size());
    }

    void removeFile(String path) {
      CacheFile file = files.remove(path);
      if (file != null) {
        Map<ColumnKey, CacheFile> shard =
            new HashMap<>(columns.getOrDefault(file.shard(), Map.of()));
        shard.values().removeIf(held -> held.path().equals(path));
        columns.put(file.shard(), shard);
      }
    }

    void dropTargets(ManifestChange.TargetsDropped change) {
      Set<Integer> shards = Set.copyOf(change.shards());
      shards.forEach(shard -> dropped.put(shard, change));
      List<CacheFile> targets =
          files.values().stream()
              .filter(file -> shards.contains(file.shard()))
              .filter(ManifestChange.TargetsDropped::drops)
              .toList();
      for (CacheFile file : targets) {
        droppedBytes += file.size().bytes();
        removeFile(file.path());
      }
    }
  }
}
