package io.stillhouse.jobs.cache.read;

import static io.stillhouse.error.Text.format;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/** Reads the rows of a cache with the tensor columns that a student uses, and no others. */
public final class CacheReader implements KeyedRows {
  /** Teachers that this process has verified, by path, sizes and modification times. */
  private static final Map<String, HuggingFaceDirectory> TEACHERS = new ConcurrentHashMap<>();

  private final Path cache;
  private final String teacher;
  private final CachePlan plan;
  private final ManifestLog manifest;
  private final Dtype dtype;
  private final List<Column> columns;
  private final Storage storage;

  private CacheReader(
      Path cache,
      String teacher,
      CachePlan plan,
      ManifestLog manifest,
      Collection<Column> columns,
      Storage storage) {
    this.cache = cache;
    this.teacher = teacher;
    this.plan = plan;
    this.manifest = manifest;
    this.dtype = Dtype.of(Objects.requireNonNull(plan.fingerprints().get("targets.dtype")));
    this.columns = List.copyOf(columns);
    this.storage = storage;
  }

  /** Like {@link #open(Storage, Path, String, Collection)}, for the cache's first teacher. */
  public static CacheReader open(Storage storage, Path cache, Collection<Column> columns)
      throws IOException {
    return open(storage, cache, "", columns);
  }

  /**
   * Opens a cache.
   *
   * @param teacher {@code teacher.name} of the teacher whose targets are read, "" for the first
   * @throws io.stillhouse.error.StillhouseException if the cache has no such teacher, or naming the
   *     columns that some shard lacks and how to add them
   */
  public static CacheReader open(
      Storage storage, Path cache, String teacher, Collection<Column> columns) throws IOException {
    CachePlan first = CachePlan.first(storage, cache);
    ManifestLog manifest = ManifestLog.read(storage, cache);
    CachePlan plan = plan(first, manifest, cache, teacher).plus(manifest.state().parts(), cache);
    plan.requireAllShards(cache, manifest.state());
    return new CacheReader(cache, teacher, plan, manifest, List.of(), storage).with(columns);
  }

  /**
   * Returns a reader of other columns in the same state of the cache.
   *
   * @throws io.stillhouse.error.StillhouseException naming the columns that some shard lacks and
   *     how to add them
   */
  public CacheReader with(Collection<Column> others) {
    Window window = plan.window();
    requireColumns(cache, window, others);
    TreeSet<String> missing = new TreeSet<>();
    for (PlanPart.Shard shard : plan.shards()) {
      if (manifest.state().inputs(shard.shard()).isEmpty()) {
        missing.add("inputs");
      }
      for (Column column : others) {
        if (window == null && !manifest.state().has(shard.shard(), teacher, column)) {
          missing.add(column.name());
        }
      }
    }
    if (!missing.isEmpty()) {
      String of = teacher.isEmpty() ? "" : format(" of teacher '%s'", teacher);
      throw Errors.invalid(
          format("cache '%s' lacks %s%s in some shards", cache, String.join(", ", missing), of),
          "name them in the recipe's targets and run cache again, which computes only what is"
              + " missing");
    }
    return new CacheReader(cache, teacher, plan, manifest, others, storage);
  }

  private static void requireColumns(
      Path cache, @Nullable Window window, Collection<Column> columns) {
    TreeSet<String> missing = new TreeSet<>(columns.stream().map(Column::name).toList());
    if (window != null && !window.columns().containsAll(missing)) {
      missing.removeAll(window.columns());
      throw Errors.invalid(
          format(
              "cache '%s', which drops its shards, was not built with %s",
              cache, String.join(", ", missing)),
          "name them in the recipe's targets and build another cache");
    }
  }

  private static CachePlan plan(CachePlan first, ManifestLog manifest, Path cache, String teacher) {
    if (teacher.isEmpty()) {
      return first;
    }
    CachedTeacher other = manifest.state().teachers().get(teacher);
    if (other == null) {
      throw Errors.invalid(
          format(
              "cache '%s' has no teacher '%s'; besides the first, which has no name, it has %s",
              cache, teacher, new TreeSet<>(manifest.state().teachers().keySet())),
          "correct teacher.name, or run cache with that name and its teacher.path");
    }
    return first.of(other);
  }

  /** Like {@link #teacher(Storage, Path, String)}, for the cache's first teacher. */
  public static HuggingFaceDirectory teacher(Storage storage, Path cache) throws IOException {
    return teacher(storage, cache, "");
  }

  /**
   * Opens a teacher of a cache.
   *
   * @param name {@code teacher.name}, "" for the first
   * @throws io.stillhouse.error.StillhouseException if there is no teacher of that name, or naming
   *     a file that differs from the one that the cache was built with
   */
  public static HuggingFaceDirectory teacher(Storage storage, Path cache, String name)
      throws IOException {
    CachePlan plan = CachePlan.first(storage, cache);
    if (!name.isEmpty()) {
      plan = plan(plan, ManifestLog.read(storage, cache), cache, name);
    }
    return teacher(storage, cache, name, plan);
  }

  /**
   * Opens the teacher whose targets this reader reads.
   *
   * @throws io.stillhouse.error.StillhouseException naming a file that differs from the one that
   *     the cache was built with
   */
  public HuggingFaceDirectory teacher() throws IOException {
    return teacher(storage, cache, teacher, plan);
  }

  private static HuggingFaceDirectory teacher(
      Storage storage, Path cache, String name, CachePlan plan) throws IOException {
    java.nio.file.Path home = Models.copy(TeacherFolder.model(cache, name).toString());
    StringBuilder state = new StringBuilder(home.toString());
    for (String part : plan.teacherFiles().keySet()) {
      java.io.File file = home.resolve(part).toFile();
      state.append(' ').append(file.length()).append(' ').append(file.lastModified());
    }
    HuggingFaceDirectory teacher = TEACHERS.get(state.toString());
    if (teacher == null) {
      for (Map.Entry<String, String> file : plan.teacherFiles().entrySet()) {
        Path path = new Path(home.resolve(file.getKey()).toUri());
        if (!storage.exists(path) || !storage.sha256(path).equals(file.getValue())) {
          throw Errors.invalid(
              format(
                  "'%s' of cache '%s' is damaged or missing",
                  TeacherFolder.prefix(name) + TeacherFolder.NAME + "/" + file.getKey(), cache),
              "run cache again with this teacher's recipe, which copies the file from"
                  + " teacher.path");
        }
      }
      teacher = HuggingFaceDirectory.open(home);
      TEACHERS.put(state.toString(), teacher);
    }
    return teacher;
  }

  public CachePlan plan() {
    return plan;
  }

  /**
   * Requires that the cache was built with the recipe's settings and, if it still exists, the
   * recipe's teacher.
   *
   * @throws io.stillhouse.error.StillhouseException naming every fingerprint that differs
   */
  public void requireRecipe(Settings settings) throws IOException {
    Map<String, String> wanted = new TreeMap<>();
    for (Option<?> option : Fingerprints.SETTINGS) {
      if (settings.has(option)) {
        wanted.put(option.key(), String.valueOf(settings.get(option)));
      }
    }
    if (settings.has(Options.TEACHER) && settings.get(Options.TEACHER_NAME).isEmpty()) {
      Path given = new Path(settings.get(Options.TEACHER));
      if (storage.exists(given)) {
        java.nio.file.Path local = Models.copy(given.toString());
        wanted.put(
            Fingerprints.TEACHER, Fingerprints.combined(Fingerprints.directory(storage, local)));
      }
    }
    Map<String, String> recorded = new TreeMap<>(plan.fingerprints());
    recorded.keySet().retainAll(wanted.keySet());
    Fingerprints.requireEqual(
        cache, recorded, wanted, "correct the recipe, or name the cache that it built");
  }

  @Override
  public List<Integer> shardRows() {
    return plan.shards().stream()
        .map(
            shard ->
                shard.rows()
                    - shard.invalid()
                    - manifest.state().invalid(shard.shard(), teacher).size())
        .toList();
  }

  @Override
  public List<Example> read(int shard) throws IOException {
    List<Example> rows = new ArrayList<>(readRowsWithTokens(shard));
    rows.removeIf(row -> row == null);
    return rows;
  }

  /** Reads a shard's rows with tokens; null where a row has no targets. */
  List<@Nullable Example> readRowsWithTokens(int shard) throws IOException {
    requireTargets(shard);
    List<InputRow> inputs = allInputs(shard);
    List<Map<String, byte[]>> cells = new ArrayList<>();
    inputs.forEach(row -> cells.add(new HashMap<>()));
    for (Map.Entry<CacheFile, List<Column>> file : files(shard).entrySet()) {
      List<Column> wanted = new ArrayList<>(List.of(Targets.ID));
      wanted.addAll(file.getValue());
      List<Object[]> rows = read(file.getKey(), wanted);
      requireAligned(file.getKey(), inputs, rows);
      for (int row = 0; row < rows.size(); row++) {
        for (int c = 1; c < wanted.size(); c++) {
          cells.get(row).put(wanted.get(c).name(), (byte[]) rows.get(row)[c]);
        }
      }
    }
    Map<String, String> invalid = manifest.state().invalid(shard, teacher);
    List<@Nullable Example> examples = new ArrayList<>(inputs.size());
    for (int row = 0; row < inputs.size(); row++) {
      InputRow input = inputs.get(row);
      if (input.hasTokens()) {
        examples.add(
            invalid.containsKey(input.id())
                ? null
                : new Example(input.id(), input.inputs(), dtype, cells.get(row)));
      }
    }
    return examples;
  }

  @Override
  public List<RowKey> keys(int shard, RowKey.With with) throws IOException {
    return allKeys(shard, with).stream().filter(RowKey::hasTargets).toList();
  }

  /** Reads the keys of all rows of a shard, including those without tokens or targets. */
  List<RowKey> allKeys(int shard, RowKey.With with) throws IOException {
    Map<String, String> invalid = manifest.state().invalid(shard, teacher);
    return read(manifest.state().inputs(shard).orElseThrow(), RowKey.columns(with)).stream()
        .map(row -> RowKey.of(row, invalid.containsKey((String) row[0])))
        .toList();
  }

  /** Reads the manifest entries that were appended since this was opened. */
  void follow() throws IOException {
    manifest.follow();
  }

  /** Returns whether a shard of a window has its targets, or had them before it was dropped. */
  boolean isFinished(int shard) {
    return manifest.state().isFinished(shard, Objects.requireNonNull(plan.window()));
  }

  /**
   * Requires that no shard from {@code from} on is dropped, if this reads targets.
   *
   * @throws io.stillhouse.error.StillhouseException naming the first dropped shard and the students
   *     that had read it
   */
  public void requireNoneDropped(int from) {
    Map<Integer, ManifestChange.TargetsDropped> dropped = manifest.state().dropped();
    for (int shard = from; shard < plan.shards().size() && !columns.isEmpty(); shard++) {
      if (dropped.containsKey(shard)) {
        List<String> students = dropped.get(shard).students();
        throw Errors.invalid(
            format(
                "shard %d of cache '%s' was dropped after the student%s %s had read it",
                shard, cache, students.size() == 1 ? "" : "s", String.join(", ", students)),
            "all students of a cache with a window must start before its first shard is dropped:"
                + " build another cache, or one with cache.window=0");
      }
    }
  }

  private void requireTargets(int shard) {
    if (manifest.state().isDropped(shard)) {
      requireNoneDropped(shard);
    }
    for (Column column : columns) {
      if (!manifest.state().has(shard, teacher, column)) {
        throw Errors.invalid(
            format("shard %d of cache '%s' has no %s yet", shard, cache, column.name()),
            "wait until cache has finished it, or run cache");
      }
    }
  }

  /** Reads the inputs of the rows of a shard that {@link #read} returns. */
  public List<InputRow> inputs(int shard) throws IOException {
    Map<String, String> invalid = manifest.state().invalid(shard, teacher);
    return allInputs(shard).stream()
        .filter(row -> row.hasTokens() && !invalid.containsKey(row.id()))
        .toList();
  }

  private List<InputRow> allInputs(int shard) throws IOException {
    return read(manifest.state().inputs(shard).orElseThrow(), Targets.INPUTS).stream()
        .map(InputRow::of)
        .toList();
  }

  private List<Object[]> read(CacheFile file, List<Column> wanted) throws IOException {
    return ParquetRows.read(new CheckedFile(storage, cache, file), wanted, storage.hadoop());
  }

  /** Returns whether every shard has a column, or will have it in a cache with a window. */
  public boolean has(Column column) {
    Window window = plan.window();
    return window != null
        ? window.columns().contains(column.name())
        : plan.shards().stream().allMatch(s -> manifest.state().has(s.shard(), teacher, column));
  }

  private Map<CacheFile, List<Column>> files(int shard) {
    return columns.stream()
        .collect(groupingBy(column -> file(shard, column), LinkedHashMap::new, toList()));
  }

  private CacheFile file(int shard, Column column) {
    return manifest
        .state()
        .find(shard, teacher, column)
        .orElseThrow(
            () -> new IllegalStateException(format("shard %d has no %s", shard, column.name())));
  }

  private void requireAligned(CacheFile file, List<InputRow> inputs, List<Object[]> rows) {
    boolean aligned = inputs.size() == rows.size();
    for (int row = 0; aligned && row < rows.size(); row++) {
      aligned = inputs.get(row).id().equals(rows.get(row)[0]);
    }
    if (!aligned) {
      throw Errors.invalid(
          format(
              "the rows of '%s' (shard %d) differ from those of its inputs",
              new Path(cache, file.path()), file.shard()),
          "run verify on the cache, then cache again");
    }
  }
}
