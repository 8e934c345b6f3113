package io.stillhouse.jobs.corpus.read;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.AccessControlException;

/** Tells files that are damaged or may not be read from failures of the machines. */
final class Unreadable {
  /** The starts of names of exceptions that say nothing about a file. */
  private static final List<String> MACHINES =
      List.of(
          "java.net.",
          "javax.net.ssl.",
          "com.amazonaws.",
          "com.google.cloud.",
          "software.amazon.",
          "org.apache.hadoop.fs.azurebfs.",
          "org.apache.hadoop.fs.s3a.",
          "org.apache.hadoop.hdfs.",
          "org.apache.hadoop.ipc.",
          "org.apache.spark.TaskKilled",
          "java.lang.InterruptedException",
          "java.io.InterruptedIOException",
          "java.nio.channels.ClosedByInterruptException",
          "java.io.FileNotFoundException");

  private static final int LONGEST = 160;

  private Unreadable() {}

  /** Returns the user's error if a text file cannot be read for a reason in the file itself. */
  static RuntimeException explained(Path file, Exception error, Configuration hadoop) {
    if (error instanceof StillhouseException known) {
      return known;
    }
    if (isDenied(error)) {
      return denied(file, error);
    }
    if (TextStreams.isCompressed(file, hadoop) && !isOfMachines(error)) {
      return Errors.invalid(
          format("the file '%s' of the corpus cannot be decompressed (%s)", file, words(error)),
          "copy it again, or rename it if it is not compressed",
          error);
    }
    if (error instanceof IOException io) {
      return new UncheckedIOException(format("cannot read '%s'", file), io);
    }
    return (RuntimeException) error;
  }

  /**
   * Returns the user's error if a Parquet or ORC file cannot be read for a reason in the file
   * itself, else the given error.
   */
  static RuntimeException explained(String file, String format, RuntimeException error) {
    Throwable deepest = error;
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof StillhouseException known) {
        return known;
      }
      if (isDenied(cause)) {
        return denied(new Path(file), error);
      }
      deepest = cause;
    }
    if (isOfMachines(error)) {
      return error;
    }
    return Errors.invalid(
        format(
            "the file '%s' of the corpus cannot be read as %s (%s)", file, format, words(deepest)),
        "copy it again, or set corpus.format if it has another format",
        error);
  }

  /** Returns whether an error means that a file may not be read. */
  private static boolean isDenied(Throwable error) {
    return error instanceof AccessControlException
        || error instanceof java.nio.file.AccessDeniedException
        || error instanceof java.io.FileNotFoundException
            && String.valueOf(error.getMessage()).endsWith("(Permission denied)");
  }

  private static StillhouseException denied(Path file, Throwable error) {
    return Errors.invalid(
        format("the file '%s' of the corpus may not be read", file),
        "give the user that runs Spark permission to read it",
        error);
  }

  private static boolean isOfMachines(Throwable error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (MACHINES.stream().anyMatch(cause.getClass().getName()::startsWith)) {
        return true;
      }
    }
    return false;
  }

  /** Returns the first line of a message, shortened. */
  private static String words(Throwable error) {
    String all =
        error.getMessage() == null
            ? error.getClass().getSimpleName().replace("Exception", "")
            : error.getMessage();
    String message = all.lines().findFirst().orElse("").strip();
    return message.length() <= LONGEST ? message : message.substring(0, LONGEST) + " ...";
  }
}
