package io.stillhouse.jobs.plan;

import io.stillhouse.jobs.corpus.InvalidRows;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

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

  /** Returns the rows of a cache's inputs that have no tokens. */
  static InvalidRows invalid(SparkSession spark, Path cache) {
    InvalidRows invalid = InvalidRows.NONE;
    for (Row row :
        spark
            .read()
            .parquet(new Path(cache, "inputs").toString())
            .filter("status is not null")
            .groupBy("status")
            .agg(functions.count("id"), functions.min("id"))
            .collectAsList()) {
      invalid = invalid.plus(InvalidRows.of(row.getString(0), row.getLong(1), row.getString(2)));
    }
    return invalid;
  }

  Lengths multiply(double factor) {
    return new Lengths(factor * rows, factor * sound, factor * tokens, factor * squares);
  }
}
