package io.stillhouse.jobs.spark;

import io.stillhouse.error.Errors;
import org.apache.spark.sql.SparkSession;

/** Opens the Spark session of a command. */
public final class Sessions {
  private Sessions() {}

  /** Opens a session; master and resources come from spark-submit. */
  public static SparkSession open(String name) {
    SparkSession spark =
        SparkSession.builder()
            .appName("stillhouse " + name)
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate();
    if (spark.conf().get("spark.sql.files.ignoreCorruptFiles", "false").equals("true")) {
      spark.stop();
      throw Errors.badValue(
          "spark.sql.files.ignoreCorruptFiles", "false (it drops rows silently)", "true");
    }
    return spark;
  }

  /** Returns the cores that one task alone on its executor may use. */
  public static int coresOfOneTask(SparkSession spark) {
    if (spark.sparkContext().isLocal()) {
      return spark.sparkContext().defaultParallelism();
    }
    return spark.sparkContext().conf().getInt("spark.executor.cores", 1);
  }
}
