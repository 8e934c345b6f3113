package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The files of one shard from which a task reads rows.
 *
 * @param shard number of the shard
 * @param first index of its first row among the rows of all shards that are read
 * @param inputs the file of its inputs
 * @param targets the files of its targets, each with the names of the columns to read
 * @param invalid ids of the rows for which the teacher's output is not finite
 */
record ShardFiles(
    int shard,
    long first,
    CacheFile inputs,
    Map<CacheFile, List<String>> targets,
    Set<String> invalid)
    implements Serializable {

  /**
   * A row of a cache.
   *
   * @param targets its cells, or null if it has no targets
   */
  record CachedRow(int shard, InputRow input, @Nullable Example targets) {}

  /** Returns the files of a shard, or null if it lacks its inputs or one of the columns. */
  static @Nullable ShardFiles find(
      CacheState state, String teacher, int shard, long first, List<Column> columns) {
    CacheFile inputs = state.inputs(shard).orElse(null);
    if (inputs == null) {
      return null;
    }
    Map<CacheFile, List<String>> targets = new LinkedHashMap<>();
    for (Column column : columns) {
      CacheFile file = state.find(shard, teacher, column).orElse(null);
      if (file == null) {
        return null;
      }
      targets.computeIfAbsent(file, any -> new ArrayList<>()).add(column.name());
    }
    Set<String> invalid = Set.copyOf(state.invalid(shard, teacher).keySet());
    return new ShardFiles(shard, first, inputs, targets, invalid);
  }

  /**
   * Reads the rows that a filter keeps.
   *
   * @param dtype dtype of the cells
   */
  List<CachedRow> read(Storage storage, Path cache, Dtype dtype, RowFilter filter)
      throws IOException {
    List<Object[]> inputRows =
        ParquetRows.read(new CheckedFile(storage, cache, inputs), Targets.INPUTS, storage.hadoop());
    boolean[] kept = new boolean[inputRows.size()];
    boolean any = false;
    for (int n = 0; n < kept.length; n++) {
      kept[n] = filter.keeps(first + n, (String) inputRows.get(n)[0]);
      any |= kept[n];
    }
    if (!any) { // the targets are many times larger than the inputs
      return List.of();
    }
    List<Map<String, byte[]>> cells = new ArrayList<>();
    inputRows.forEach(row -> cells.add(new HashMap<>()));
    for (Map.Entry<CacheFile, List<String>> file : targets.entrySet()) {
      readCells(storage, cache, file, inputRows, cells);
    }
    List<CachedRow> rows = new ArrayList<>();
    for (int n = 0; n < inputRows.size(); n++) {
      if (kept[n]) {
        InputRow input = InputRow.of(inputRows.get(n));
        boolean hasTargets = input.hasTokens() && !invalid.contains(input.id());
        rows.add(
            new CachedRow(
                shard,
                input,
                hasTargets ? new Example(input.id(), input.inputs(), dtype, cells.get(n)) : null));
      }
    }
    return rows;
  }

  private void readCells(
      Storage storage,
      Path cache,
      Map.Entry<CacheFile, List<String>> file,
      List<Object[]> inputRows,
      List<Map<String, byte[]>> cells)
      throws IOException {
    List<Column> wanted = new ArrayList<>(List.of(Targets.ID));
    file.getValue().forEach(name -> wanted.add(Targets.named(name)));
    List<Object[]> rows =
        ParquetRows.read(new CheckedFile(storage, cache, file.getKey()), wanted, storage.hadoop());
    boolean aligned = rows.size() == inputRows.size();
    for (int n = 0; aligned && n < rows.size(); n++) {
      aligned = rows.get(n)[0].equals(inputRows.get(n)[0]);
      for (int c = 1; c < wanted.size(); c++) {
        cells.get(n).put(wanted.get(c).name(), (byte[]) rows.get(n)[c]);
      }
    }
    if (!aligned) {
      throw Errors.invalid(
          format(
              "the rows of '%s' (shard %d) differ from those of its inputs",
              new Path(cache, file.getKey().path()), shard),
          "run verify on the cache, then cache again");
    }
  }
}
