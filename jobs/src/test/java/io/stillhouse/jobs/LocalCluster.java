package io.stillhouse.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.SparkSession;

/** A session with two executor processes, to which everything must be serialized. */
public final class LocalCluster {
  private LocalCluster() {}

  /** Starts the executors, after the session that other tests share is stopped. */
  public static SparkSession start() throws IOException {
    Tiny.spark().stop();
    // Executors take their classes from the path below; Spark only wants a directory to start in.
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME"), "jars"));
    SparkSession cluster =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .config("spark.ui.enabled", false)
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config(
                "spark.executor.extraJavaOptions",
                "-Dai.djl.offline=true -Dai.djl.pytorch.num_interop_threads=1")
            .config("spark.executor.cores", 1)
            .config("spark.locality.wait", "0s")
            .getOrCreate();
    cluster.sparkContext().setLogLevel("ERROR");
    return cluster;
  }
}
