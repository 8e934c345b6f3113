package io.stillhouse.spec;

import io.stillhouse.error.Errors;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Where rows of text come from.
 *
 * @param paths files, directories or globs; at least one
 * @param format how the files are written
 * @param header whether the first row of a CSV or TSV file names the columns
 * @param columns what is read of a row
 * @param limit the most rows to take, from the first file's first row on; 0 takes all
 */
public record CorpusSpec(
    List<String> paths, Format format, HeaderRow header, Columns columns, long limit) {

  /** How a corpus is written. */
  public enum Format {
    /** As the file names' extensions say. */
    AUTO,
    /** A line is a row. */
    TEXT,
    /**
     * RFC 4180: fields may be in double quotes, and then hold commas, line breaks and {@code ""}.
     */
    CSV,
    /** Fields between tabs as they stand; quotes mean nothing. */
    TSV,
    /** A JSON object per line. */
    JSON,
    PARQUET,
    ORC;

    /** Returns the format of a name as a recipe writes it, such as {@code jsonl}. */
    public static Format of(String name) {
      if (name.equalsIgnoreCase("jsonl")) {
        return JSON;
      }
      for (Format format : values()) {
        if (format.name().equalsIgnoreCase(name)) {
          return format;
        }
      }
      String known =
          Arrays.stream(values())
              .map(format -> format.name().toLowerCase(Locale.ROOT))
              .collect(Collectors.joining(", "));
      throw Errors.invalid(
          "unknown corpus format '%s'".formatted(name), "use one of %s, jsonl".formatted(known));
    }

    /** Returns whether a file has columns that a first row may name. */
    public boolean delimited() {
      return this == CSV || this == TSV;
    }
  }

  /** Whether the first row of a CSV or TSV file names the columns; other formats ignore it. */
  public enum HeaderRow {
    PRESENT,
    ABSENT
  }

  /**
   * The columns to read, by name; in CSV or TSV without header by place, from "0". Plain text has
   * only its lines.
   *
   * @param text the text, or the first text of a pair; null only for plain text
   * @param pair the second text; null if rows are single texts
   * @param label the label; null if there is none
   * @param id the rows' keys; null to key rows by file and ordinal
   */
  public record Columns(
      @Nullable String text, @Nullable String pair, @Nullable String label, @Nullable String id)
      implements Serializable {
    /** The lines of plain text. */
    public static final Columns LINES = new Columns(null, null, null, null);
  }

  public CorpusSpec {
    paths = List.copyOf(paths);
    if (paths.isEmpty()) {
      throw new IllegalArgumentException("a corpus needs a path");
    }
    if (limit < 0) {
      throw new IllegalArgumentException("limit must be 0 or more, but is " + limit);
    }
  }
}
