package io.stillhouse.jobs.spark;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.monitor.MetricsPage;
import java.lang.management.ManagementFactory;
import org.apache.spark.sql.SparkSession;

/** Opens the Spark session of a command. */
public final class Sessions {
  /** Seconds until this JVM's first session was open; 0 before that. */
  private static volatile double startUp;

  private Sessions() {}

  /** Opens a session for a recipe. The master and the resources come from spark-submit. */
  public static SparkSession open(String name, Settings settings) {
    GracefulStop.check();
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
    SecretFreeLog.install(spark.sparkContext().hadoopConfiguration());
    MetricsPage.attach(spark.sparkContext(), name);
    GracefulStop.watch(spark.sparkContext(), settings.get(Options.JOB_STOP_SECONDS));
    if (startUp == 0) {
      startUp = upSeconds();
    }
    return spark;
  }

  /**
   * Returns how many seconds a command takes to start: those from the start of this JVM until its
   * first session was open, or until now if that was not opened here.
   */
  public static double startUpSeconds() {
    double known = startUp;
    return known > 0 ? known : upSeconds();
  }

  private static double upSeconds() {
    return (System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime()) / 1e3;
  }

  /** Returns whether the cluster runs this driver ({@code --deploy-mode cluster}). */
  public static boolean inClusterMode() {
    return "cluster".equals(System.getProperty("spark.submit.deployMode"));
  }

  /**
   * Returns whether this process is the application master of YARN's cluster mode, which reports a
   * failure if the application calls {@link System#exit}, even with 0.
   */
  public static boolean isInApplicationMaster() {
    return "yarn".equals(System.getProperty("spark.master")) && inClusterMode();
  }

  /** Returns the number of cores that a task may use if no other task runs on its executor. */
  public static int coresOfOneTask(SparkSession spark) {
    if (spark.sparkContext().isLocal()) {
      return spark.sparkContext().defaultParallelism();
    }
    return spark.sparkContext().conf().getInt("spark.executor.cores", 1);
  }
}
