package io.stillhouse.train;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.util.ArrayList;
import java.util.List;

/** A cache in memory that records which shards are read. */
final class MemorySource implements TargetSource {
  private final List<List<Example>> shards;
  private final List<Integer> reads = new ArrayList<>();

  MemorySource(List<List<Example>> shards) {
    this.shards = shards;
  }

  @Override
  public List<Integer> shardRows() {
    return shards.stream().map(List::size).toList();
  }

  @Override
  public List<Example> read(int shard) {
    reads.add(shard);
    return shards.get(shard);
  }

  /** Returns the shards in the order in which they were read. */
  List<Integer> reads() {
    return reads;
  }
}
