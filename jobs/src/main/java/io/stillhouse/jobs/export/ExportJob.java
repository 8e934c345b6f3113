package io.stillhouse.jobs.export;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;

/**
 * Copies a student, without the record of its training, into a directory: of an encoder one that
 * {@code from_pretrained} loads, of a BiLSTM the state of a PyTorch module.
 */
public final class ExportJob {
  private ExportJob() {}

  /** Exports, and returns where to. */
  public static String run(Settings settings) throws IOException {
    Storage storage = Storage.ofThisProcess();
    String given =
        settings.get(Options.EXPORT_FROM).isEmpty()
            ? settings.get(Options.TRAIN_PATH) + "/" + settings.get(Options.STUDENT_NAME)
            : settings.get(Options.EXPORT_FROM);
    Path from = storage.requireExisting("export.from", given);
    Path to = storage.qualify(settings.get(Options.EXPORT_TO));
    if (storage.exists(to)) {
      throw Errors.invalid(
          "export.to '%s' exists already".formatted(to), "remove it, or name another");
    }
    java.nio.file.Path local = Files.createTempDirectory("stillhouse-export");
    try {
      ModelDirectory.open(storage.local(from)).copyTo(local.resolve("model"));
      storage.publish(local.resolve("model"), to);
    } finally {
      FileUtils.deleteDirectory(local.toFile());
    }
    return to.toString();
  }
}
