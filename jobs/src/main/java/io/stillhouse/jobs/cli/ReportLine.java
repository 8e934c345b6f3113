package io.stillhouse.jobs.cli;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.report.ReportJob;
import io.stillhouse.jobs.storage.Storage;
import org.apache.hadoop.fs.Path;

/** The last line of commands that write a report. */
final class ReportLine {
  private ReportLine() {}

  /** Writes the report of a run and says where it is; says nothing if there is none. */
  static void write(Settings settings, String run, ReportJob.Content content) {
    ReportJob.afterCommand(Storage.ofThisProcess(), settings, run, content)
        .ifPresent(page -> Stillhouse.print("%s", line(page)));
  }

  /** Writes the report of the students of a recipe, from records alone. */
  static void ofStudents(Settings settings) {
    write(settings, settings.get(Options.TRAIN_PATH), ReportJob.Content.RECORDS);
  }

  static String line(Path page) {
    boolean local = "file".equals(page.toUri().getScheme());
    return "report: " + (local ? page.toUri().getPath() : page.toString());
  }
}
