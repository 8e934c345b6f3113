package io.stillhouse.jobs.cache;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.Path;

/** Reads the rows of a cache with the tensor columns a student maps, and no others. */
public final class CacheReader implements TargetSource {
  /** Teachers, by path, sizes and times, that this process has held against their hashes. */
  private static final Set<String> VERIFIED = ConcurrentHashMap.newKeySet();

  private final Path cache;
  private final Plan plan;
  private final Manifest manifest;
  private final Dtype dtype;
  private final List<Column> columns;
  private final Storage storage;

  private CacheReader(
      Path cache, Plan plan, Manifest manifest, Collection<Column> columns, Storage storage) {
    this.cache = cache;
    this.plan = plan;
    this.manifest = manifest;
    this.dtype = Dtype.of(plan.fingerprints().get("targets.dtype"));
    this.columns = List.copyOf(columns);
    this.storage = storage;
  }

  /**
   * Opens a cache.
   *
   * @throws io.stillhouse.error.StillhouseException naming the columns that some unit lacks, and
   *     how to add them
   */
  public static CacheReader open(Storage storage, Path cache, Collection<Column> columns)
      throws IOException {
    Plan plan = Plan.read(storage, cache);
    Manifest manifest = Manifest.read(storage, cache);
    TreeSet<String> missing = new TreeSet<>();
    if (plan.units().stream().anyMatch(unit -> !manifest.has(unit.unit(), Targets.ID))) {
      missing.add("inputs");
    }
    for (Plan.Unit unit : plan.units()) {
      for (Column column : columns) {
        if (manifest.find(unit.unit(), column.family(), column).isEmpty()) {
          missing.add(column.name());
        }
      }
    }
    if (!missing.isEmpty()) {
      throw Errors.invalid(
          "cache '%s' lacks %s in some units".formatted(cache, String.join(", ", missing)),
          "name them in the recipe's targets and run cache again: it computes only what is missing");
    }
    return new CacheReader(cache, plan, manifest, columns, storage);
  }

  /**
   * Opens the teacher of a cache.
   *
   * @throws io.stillhouse.error.StillhouseException naming a file that is not the one that the
   *     cache was built with
   */
  public static HuggingFaceDirectory teacher(Storage storage, Path cache) throws IOException {
    java.nio.file.Path home = Models.copy(new Path(cache, CacheJob.TEACHER).toString());
    Plan plan = Plan.read(storage, cache);
    StringBuilder state = new StringBuilder(home.toString());
    for (String name : plan.teacherFiles().keySet()) {
      java.io.File file = home.resolve(name).toFile();
      state.append(' ').append(file.length()).append(' ').append(file.lastModified());
    }
    if (!VERIFIED.contains(state.toString())) {
      for (Map.Entry<String, String> file : plan.teacherFiles().entrySet()) {
        java.nio.file.Path path = home.resolve(file.getKey());
        if (!Files.exists(path)
            || !storage.sha256(new Path(path.toUri())).equals(file.getValue())) {
          throw Errors.invalid(
              "'%s' of cache '%s' is damaged or missing"
                  .formatted(CacheJob.TEACHER + "/" + file.getKey(), cache),
              "run cache again: it takes the file from teacher.path anew");
        }
      }
      VERIFIED.add(state.toString());
    }
    return HuggingFaceDirectory.open(home);
  }

  public Plan plan() {
    return plan;
  }

  @Override
  public List<Integer> unitRows() {
    return plan.units().stream()
        .map(unit -> unit.rows() - unit.poison() - manifest.poison(unit.unit()).size())
        .toList();
  }

  @Override
  public List<Example> read(int unit) throws IOException {
    List<InputRow> inputs = allInputs(unit);
    List<Map<String, byte[]>> cells = new ArrayList<>();
    inputs.forEach(row -> cells.add(new HashMap<>()));
    for (Map.Entry<CacheFile, List<Column>> file : files(unit).entrySet()) {
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
    List<Example> examples = new ArrayList<>(inputs.size());
    for (int row = 0; row < inputs.size(); row++) {
      InputRow input = inputs.get(row);
      if (!input.sound() || manifest.poison(unit).containsKey(input.id())) {
        continue;
      }
      examples.add(new Example(input.id(), input.inputs(), dtype, cells.get(row)));
    }
    return examples;
  }

  /** Reads the inputs of a unit's sound rows: those that {@link #read} gives. */
  public List<InputRow> inputs(int unit) throws IOException {
    return allInputs(unit).stream()
        .filter(row -> row.sound() && !manifest.poison(unit).containsKey(row.id()))
        .toList();
  }

  private List<InputRow> allInputs(int unit) throws IOException {
    return read(file(unit, Targets.ID), Targets.INPUTS).stream().map(InputRow::of).toList();
  }

  private List<Object[]> read(CacheFile file, List<Column> wanted) throws IOException {
    return ParquetRows.read(new CheckedFile(storage, cache, file), wanted, storage.hadoop());
  }

  /** Returns whether every unit has a column. */
  public boolean has(Column column) {
    return plan.units().stream().allMatch(unit -> manifest.has(unit.unit(), column));
  }

  private Map<CacheFile, List<Column>> files(int unit) {
    Map<CacheFile, List<Column>> files = new LinkedHashMap<>();
    for (Column column : columns) {
      files.computeIfAbsent(file(unit, column), f -> new ArrayList<>()).add(column);
    }
    return files;
  }

  private CacheFile file(int unit, Column column) {
    Family family = column.equals(Targets.ID) ? Family.INPUTS : column.family();
    Optional<CacheFile> file = manifest.find(unit, family, column);
    return file.orElseThrow(
        () -> new IllegalStateException("unit %d has no %s".formatted(unit, column.name())));
  }

  private Path path(CacheFile file) {
    return new Path(cache, file.path());
  }

  private void requireAligned(CacheFile file, List<InputRow> inputs, List<Object[]> rows) {
    boolean aligned = inputs.size() == rows.size();
    for (int row = 0; aligned && row < rows.size(); row++) {
      aligned = inputs.get(row).id().equals(rows.get(row)[0]);
    }
    if (!aligned) {
      throw Errors.invalid(
          "the rows of '%s' (unit %d) are not those of its inputs"
              .formatted(path(file), file.unit()),
          "run verify on the cache, then cache again");
    }
  }
}
