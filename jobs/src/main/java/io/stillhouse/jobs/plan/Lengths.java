package io.stillhouse.jobs.plan;

import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Sums over the rows of a cache.
 *
 * @param rows number of rows; each masked variant counts
 * @param sound number of rows that have tokens
 * @param tokens the sum of lengths L
 * @param squares the sum of L², to which the size of attention scores is proportional
 */
record Lengths(double rows, double sound, double tokens, double squares) {

  /** Sums the inputs of a cache, or of a directory with the same layout. */
  static Lengths of(SparkSession spark, Path cache) {
    Row sums =
        spark
            .read()
            .parquet(new Path(cache, "inputs").toString())
            .selectExpr(
                "count(1)",
                "count_if(status is null)",
                "coalesce(sum(length), 0)",
                "coalesce(sum(bigint(length) * length), 0)")
            .first();
    return new Lengths(sums.getLong(0), sums.getLong(1), sums.getLong(2), sums.getLong(3));
  }

  Lengths multiply(double factor) {
    return new Lengths(factor * rows, factor * sound, factor * tokens, factor * squares);
  }
}
