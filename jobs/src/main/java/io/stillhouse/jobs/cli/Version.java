package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.export.CodeVersion;
import picocli.CommandLine;

/** Names the versions that decide how a command behaves. */
final class Version implements CommandLine.IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {
      format(
          "stillhouse %s with Spark %s on Java %s",
          CodeVersion.current(),
          org.apache.spark.package$.MODULE$.SPARK_VERSION(),
          Runtime.version())
    };
  }
}
