package io.stillhouse.jobs.cache;

import io.stillhouse.error.Errors;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Reads the rows of a cache with the tensor columns a student maps, and no others. */
public final class CacheReader implements TargetSource {
  private final Path cache;
  private final Plan plan;
  private final Manifest manifest;
  private final Dtype dtype;
  private final List<Column> columns;
  private final Configuration hadoop;

  private CacheReader(
      Path cache, Plan plan, Manifest manifest, List<Column> columns, Storage storage) {
    this.cache = cache;
    this.plan = plan;
    this.manifest = manifest;
    this.dtype = Dtype.of(plan.fingerprints().get("targets.dtype"));
    this.columns = List.copyOf(columns);
    this.hadoop = storage.hadoop();
  }

  /**
   * Opens a cache.
   *
   * @throws io.stillhouse.error.StillhouseException naming the columns that some unit lacks, and
   *     how to add them
   */
  public static CacheReader open(Storage storage, Path cache, List<Column> columns)
      throws IOException {
    Plan plan = Plan.read(storage, cache);
    Manifest manifest = Manifest.read(storage, cache);
    TreeSet<String> missing = new TreeSet<>();
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
          "name them in targets.hidden or targets.attention and run cache again: it computes only what is missing");
    }
    return new CacheReader(cache, plan, manifest, columns, storage);
  }

  public Plan plan() {
    return plan;
  }

  @Override
  public List<Integer> unitRows() {
    return plan.units().stream().map(Plan.Unit::rows).toList();
  }

  @Override
  public List<Example> read(int unit) throws IOException {
    List<InputRow> inputs = inputs(unit);
    List<Map<String, byte[]>> cells = new ArrayList<>();
    inputs.forEach(row -> cells.add(new HashMap<>()));
    for (Map.Entry<CacheFile, List<Column>> file : files(unit).entrySet()) {
      List<Column> wanted = new ArrayList<>(List.of(Targets.ID));
      wanted.addAll(file.getValue());
      List<Object[]> rows = ParquetRows.read(path(file.getKey()), wanted, hadoop);
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
      examples.add(new Example(input.id(), input.inputs(), dtype, cells.get(row)));
    }
    return examples;
  }

  /** Reads a unit's inputs. */
  public List<InputRow> inputs(int unit) throws IOException {
    CacheFile file = file(unit, Targets.ID);
    return ParquetRows.read(path(file), Targets.INPUTS, hadoop).stream().map(InputRow::of).toList();
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
          "delete the cache and run cache again");
    }
  }
}
