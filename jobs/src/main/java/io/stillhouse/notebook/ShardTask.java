package io.stillhouse.notebook;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Dtype;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;

/**
 * Computes rows of a DataFrame from the rows of a shard.
 *
 * @param cache qualified path of the cache
 * @param dtype dtype of the cells
 */
record ShardTask(String cache, Dtype dtype, RowFilter filter, RowFunction function)
    implements FlatMapFunction<ShardFiles, Row> {

  @Override
  public Iterator<Row> call(ShardFiles shard) throws IOException {
    List<Row> rows = new ArrayList<>();
    for (ShardFiles.CachedRow row :
        shard.read(Storage.ofThisProcess(), new Path(cache), dtype, filter)) {
      rows.addAll(function.rows(row));
    }
    return rows.iterator();
  }
}
