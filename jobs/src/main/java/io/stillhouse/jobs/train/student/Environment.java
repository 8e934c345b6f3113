package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import ai.djl.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;

/**
 * What a command ran on, for its record.
 *
 * @param master Spark's master
 * @param system the driver's operating system
 * @param processor the model of the driver's processor, and its number of cores
 */
public record Environment(
    String spark, String java, String libtorch, String master, String system, String processor) {
  private static final Path PROCESSORS = Path.of("/proc/cpuinfo");

  /** Returns the environment of a session. */
  public static Environment of(SparkSession spark) {
    return new Environment(
        spark.version(),
        Runtime.version().toString(),
        Engine.getInstance().getVersion(),
        spark.sparkContext().master(),
        format("%s %s", System.getProperty("os.name"), System.getProperty("os.arch")),
        format("%s, %d cores", processorModel(), Runtime.getRuntime().availableProcessors()));
  }

  private static String processorModel() {
    try {
      return Files.readAllLines(PROCESSORS).stream()
          .filter(line -> line.toLowerCase(Locale.ROOT).startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException e) { // on other systems than Linux
      return "unknown processor";
    }
  }
}
