package io.stillhouse.jobs.cache.read;

import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.List;

/** Rows with their targets, whose keys can be read separately. */
public interface KeyedRows extends TargetSource {
  /** Returns the keys of the rows that {@link #read} returns, in the same order. */
  List<RowKey> keys(int shard, RowKey.With with) throws IOException;
}
