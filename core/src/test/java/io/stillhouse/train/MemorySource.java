package io.stillhouse.train;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.util.ArrayList;
import java.util.List;

/** A cache in memory, which remembers what was read of it. */
final class MemorySource implements TargetSource {
  private final List<List<Example>> units;
  private final List<Integer> reads = new ArrayList<>();

  MemorySource(List<List<Example>> units) {
    this.units = units;
  }

  @Override
  public List<Integer> unitRows() {
    return units.stream().map(List::size).toList();
  }

  @Override
  public List<Example> read(int unit) {
    reads.add(unit);
    return units.get(unit);
  }

  /** Returns the units in the order in which they were read. */
  List<Integer> reads() {
    return reads;
  }
}
