package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Reads a whole cache into memory, for tests. */
final class CacheRows {
  private CacheRows() {}

  /** Returns all rows of a cache's first teacher, with these cells. */
  static List<Example> rows(Path cache, List<Column> columns) throws IOException {
    return rows(reader(cache, columns));
  }

  static List<Example> rows(CacheReader reader) throws IOException {
    List<Example> rows = new ArrayList<>();
    for (int shard = 0; shard < reader.shardRows().size(); shard++) {
      rows.addAll(reader.read(shard));
    }
    return rows;
  }

  /** Returns only the rows' inputs, without a teacher's targets. */
  static List<InputRow> inputs(Path cache) throws IOException {
    CacheReader reader = reader(cache, List.of());
    List<InputRow> rows = new ArrayList<>();
    for (int shard = 0; shard < reader.shardRows().size(); shard++) {
      rows.addAll(reader.inputs(shard));
    }
    return rows;
  }

  /** Returns the bytes of cells by the rows' names. */
  static Map<String, List<byte[]>> cells(CacheReader reader, List<Column> columns)
      throws IOException {
    Map<String, List<byte[]>> cells = new TreeMap<>();
    for (Example row : rows(reader)) {
      cells.put(row.id(), columns.stream().map(row::cell).toList());
    }
    return cells;
  }

  static CacheReader reader(Path cache, List<Column> columns) throws IOException {
    return CacheReader.open(Storage.ofThisProcess(), hadoop(cache), columns);
  }

  static org.apache.hadoop.fs.Path hadoop(Path path) {
    return new org.apache.hadoop.fs.Path("file:" + path);
  }
}
