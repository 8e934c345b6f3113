package io.stillhouse.jobs.corpus;

import io.stillhouse.jobs.corpus.read.FileRow;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.PartitionPruningRDD;
import scala.runtime.AbstractFunction1;

/**
 * Some of the partitions of a table.
 *
 * @param numbers indices of the ranges
 * @param share their share of the table's bytes
 */
record SampledRanges(Set<Integer> numbers, double share) {

  /**
   * Draws {@code count} ranges, or all if there are fewer.
   *
   * @param bytes size of each range
   */
  static SampledRanges draw(List<Long> bytes, int count, long seed) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < bytes.size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(seed));
    Set<Integer> drawn = Set.copyOf(order.subList(0, Math.min(count, order.size())));
    double all = bytes.stream().mapToDouble(Long::doubleValue).sum();
    double some = drawn.stream().mapToDouble(i -> bytes.get(i)).sum();
    return new SampledRanges(drawn, some / all);
  }

  int count() {
    return numbers.size();
  }

  /** Returns the rows of these ranges. Other ranges are not read. */
  CorpusTable of(CorpusTable table) {
    JavaRDD<FileRow> rows =
        PartitionPruningRDD.create(table.rows().rdd(), new Chosen(Set.copyOf(numbers))).toJavaRDD();
    List<Long> bytes = numbers.stream().sorted().map(table.bytes()::get).toList();
    return new CorpusTable(rows, bytes, table.columns(), table.unseen());
  }

  private static final class Chosen extends AbstractFunction1<Object, Object>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final java.util.HashSet<Integer> numbers;

    Chosen(Set<Integer> numbers) {
      this.numbers = new java.util.HashSet<>(numbers);
    }

    @Override
    public Object apply(Object index) {
      return numbers.contains(index);
    }
  }
}
