package io.stillhouse.notebook;

import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.Row;

/** Computes rows of a DataFrame from a row of a cache, in a task. */
interface RowFunction extends Serializable {
  List<Row> rows(ShardFiles.CachedRow row) throws IOException;
}
