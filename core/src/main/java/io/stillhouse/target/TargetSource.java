package io.stillhouse.target;

import java.io.IOException;
import java.util.List;

/** Rows with their targets, shard by shard, always in the same order. */
public interface TargetSource {
  /** The label of positions that carry none, as everywhere in the field. */
  int IGNORED = -100;

  /** Returns the number of rows of each shard. */
  List<Integer> shardRows();

  /** Returns the rows of a shard, with the columns this source was opened for. */
  List<Example> read(int shard) throws IOException;
}
