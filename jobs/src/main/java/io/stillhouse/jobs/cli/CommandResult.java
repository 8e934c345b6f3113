package io.stillhouse.jobs.cli;

import io.stillhouse.jobs.export.CodeVersion;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The contents of the file that {@code job.result} names.
 *
 * @param command the name of the command
 * @param exitCode the exit code of the process
 * @param message the error; or the verdict of {@code plan} or the findings of {@code verify};
 *     otherwise null
 * @param outputs what the command writes or, for {@code check}, what all steps write, by kind;
 *     empty if the recipe cannot be read
 * @param students the names of the students that the command trains
 * @param time when the command ran
 * @param version the version of this program
 */
record CommandResult(
    String command,
    int exitCode,
    @Nullable String message,
    Map<String, String> outputs,
    List<String> students,
    Time time,
    String version) {

  /** Start and end in UTC, as ISO 8601. */
  record Time(String started, String ended) {
    static Time since(Instant started) {
      return new Time(started.toString(), Instant.now().toString());
    }
  }

  CommandResult(
      String command,
      int exitCode,
      @Nullable String message,
      CommandOutputs outputs,
      Instant started) {
    this(
        command,
        exitCode,
        message,
        outputs.paths(),
        outputs.students(),
        Time.since(started),
        CodeVersion.current());
  }
}
