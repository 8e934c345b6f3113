package io.stillhouse.target;

import java.io.IOException;
import java.util.List;

/** Rows with their targets, by shard, always in the same order. */
public interface TargetSource {
  /** The label of positions that have no label, as in PyTorch. */
  int IGNORED = -100;

  /** Returns the number of rows of each shard. */
  List<Integer> shardRows();

  /** Returns the rows of a shard, with the columns that this source was opened for. */
  List<Example> read(int shard) throws IOException;
}
