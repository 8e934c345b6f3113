package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies a student without its training records: an encoder as a directory that {@code
 * from_pretrained} loads, a BiLSTM as the state dict of a PyTorch module.
 */
public final class ExportJob {
  private static final Logger LOG = LoggerFactory.getLogger(ExportJob.class);

  private ExportJob() {}

  /**
   * Exports the student and returns the path of the result.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no such student, or if {@code
   *     export.to} exists
   */
  public static String run(Settings settings) throws IOException {
    Storage storage = Storage.ofThisProcess();
    String source =
        settings.get(Options.EXPORT_FROM).isEmpty()
            ? settings.get(Options.TRAIN_PATH) + "/" + settings.get(Options.STUDENT_NAME)
            : settings.get(Options.EXPORT_FROM);
    Path from = storage.requireExisting("export.from", source);
    Path to = storage.qualify(settings.get(Options.EXPORT_TO));
    if (storage.exists(to)) {
      throw Errors.invalid(
          format("export.to '%s' already exists", to), "remove it or choose another directory");
    }
    java.nio.file.Path local = Files.createTempDirectory("stillhouse-export");
    try {
      ModelDirectory.open(storage.local(from)).copyTo(local.resolve("model"));
      storage.publish(local.resolve("model"), to);
    } finally {
      FileUtils.deleteDirectory(local.toFile());
    }
    LOG.info("Exported '{}' to '{}'", from, to);
    return to.toString();
  }
}
