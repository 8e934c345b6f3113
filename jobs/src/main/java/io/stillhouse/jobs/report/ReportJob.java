package io.stillhouse.jobs.report;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes the report of a run: an HTML page, and its numbers as JSON. */
public final class ReportJob {
  private static final Logger LOG = LoggerFactory.getLogger(ReportJob.class);
  private static final String FILE = "report.html";
  private static final String NONE = "none";

  private final Storage storage;
  private final Settings settings;
  private final RunFiles files;

  /**
   * Finds the records of a run.
   *
   * @param run the directory of {@code distill} or of students, or one that contains the latter
   * @throws io.stillhouse.error.StillhouseException if there is no run, or {@code report.output} is
   *     a directory or none
   */
  public ReportJob(Storage storage, Settings settings, String run) throws IOException {
    this.storage = storage;
    this.settings = settings;
    this.files = RunFiles.find(storage, run);
    String output = settings.get(Options.REPORT_OUTPUT);
    if (output.equals(NONE)) {
      throw Errors.badValue(
          Options.REPORT_OUTPUT.key(), "a file for the command report, or empty", output);
    }
    if (!output.isEmpty()) {
      storage.requireNoDirectory(Options.REPORT_OUTPUT.key(), output);
    }
  }

  /** What a report contains. */
  public enum Content {
    /** What the records of the run say, which takes less than a second for most runs. */
    RECORDS,
    /** Also what running the best student, its baseline and its teacher on rows shows. */
    RECORDS_AND_MODELS
  }

  /** Writes the report. */
  public Path run(Content content) throws IOException {
    ReportReader reader = new ReportReader(files);
    Report report = reader.read();
    return write(content == Content.RECORDS ? report : reader.withComparison(report, settings));
  }

  /**
   * Writes a report at the end of another command, which it never fails.
   *
   * @return the page; empty if {@code report.output} is none, there is no run, or the report cannot
   *     be written, which is logged
   */
  public static Optional<Path> afterCommand(
      Storage storage, Settings settings, String run, Content content) {
    if (settings.get(Options.REPORT_OUTPUT).equals(NONE)) {
      return Optional.empty();
    }
    try {
      return storage.exists(storage.qualify(run))
          ? Optional.of(new ReportJob(storage, settings, run).run(content))
          : Optional.empty();
    } catch (IOException | RuntimeException e) {
      LOG.warn("The report of '{}' cannot be written; the results are not affected", run, e);
      return Optional.empty();
    }
  }

  private Path write(Report report) throws IOException {
    String output = settings.get(Options.REPORT_OUTPUT);
    Path page = output.isEmpty() ? new Path(files.run(), FILE) : storage.qualify(output);
    storage.writeText(page, ReportPage.of(report));
    String name = page.getName().replaceAll("\\.html?$", "") + ".json";
    storage.writeJson(
        new Path(page.getParent(), name), withoutNaN(Storage.JSON.toJsonTree(report)));
    return page;
  }

  /** Replaces numbers that JSON cannot express by null. */
  private static JsonElement withoutNaN(JsonElement value) {
    if (value.isJsonObject()) {
      JsonObject copy = new JsonObject();
      value.getAsJsonObject().asMap().forEach((key, part) -> copy.add(key, withoutNaN(part)));
      return copy;
    }
    if (value.isJsonArray()) {
      JsonArray copy = new JsonArray();
      value.getAsJsonArray().forEach(part -> copy.add(withoutNaN(part)));
      return copy;
    }
    return value.isJsonPrimitive()
            && value.getAsJsonPrimitive().isNumber()
            && !Double.isFinite(value.getAsDouble())
        ? JsonNull.INSTANCE
        : value;
  }
}
