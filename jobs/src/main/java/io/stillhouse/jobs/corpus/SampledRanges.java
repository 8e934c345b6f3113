package io.stillhouse.jobs.corpus;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.spark.Partition;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.PartitionPruningRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.datasources.FilePartition;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import scala.runtime.AbstractFunction1;

/**
 * Some of the byte ranges into which Spark splits the files of a table.
 *
 * @param numbers indices of the ranges
 * @param share their share of the table's bytes
 */
record SampledRanges(Set<Integer> numbers, double share) {

  /** Draws {@code count} ranges, or all if there are fewer. */
  static SampledRanges draw(JavaRDD<Row> table, int count, long seed) {
    List<Partition> all = table.partitions();
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(seed));
    Set<Integer> drawn = Set.copyOf(order.subList(0, Math.min(count, order.size())));
    double bytes = 0;
    double drawnBytes = 0;
    for (int i = 0; i < all.size(); i++) {
      long rangeBytes = bytes(all.get(i));
      bytes += rangeBytes;
      drawnBytes += drawn.contains(i) ? rangeBytes : 0;
    }
    return new SampledRanges(drawn, drawnBytes / bytes);
  }

  int count() {
    return numbers.size();
  }

  /** Returns the rows of these ranges. Other ranges are not read. */
  JavaRDD<Row> of(JavaRDD<Row> table) {
    return PartitionPruningRDD.create(table.rdd(), new Chosen(Set.copyOf(numbers))).toJavaRDD();
  }

  private static long bytes(Partition partition) {
    long bytes = 0;
    for (PartitionedFile file : ((FilePartition) partition).files()) {
      bytes += file.length();
    }
    return bytes;
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
