package io.stillhouse.jobs.spark;

import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import org.apache.spark.sql.SparkSession;

/** Opens the Spark session of a command. */
public final class Sessions {
  private Sessions() {}

  /** Opens a session for a recipe. The master and the resources come from spark-submit. */
  public static SparkSession open(String name, Settings settings) {
    ReregistrationFilter.install();
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
    try {
      Devices.choose(spark.sparkContext(), settings);
    } catch (StillhouseException e) {
      spark.stop();
      throw e;
    }
    return spark;
  }

  /** Returns the number of cores that a task may use if no other task runs on its executor. */
  public static int coresOfOneTask(SparkSession spark) {
    if (spark.sparkContext().isLocal()) {
      return spark.sparkContext().defaultParallelism();
    }
    return spark.sparkContext().conf().getInt("spark.executor.cores", 1);
  }
}
