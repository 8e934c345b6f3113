package io.stillhouse.spec;

import io.stillhouse.error.Errors;
import io.stillhouse.error.Text;
import java.io.Serializable;
import java.nio.charset.Charset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The files that rows of text are read from.
 *
 * @param paths files, directories or globs; at least one
 * @param format the format of the files
 * @param header whether the first row of a CSV or TSV file names the columns
 * @param encoding the character encoding of CSV, TSV, JSON and text files
 * @param columns the columns to read
 * @param limit the number of rows to read, from the first row of the first file; 0 for all. It
 *     holds for rows with and without labels separately
 * @param unlabelled files, directories or globs with the same columns except for the label, whose
 *     rows have none; usually empty
 */
public record CorpusSpec(
    List<String> paths,
    Format format,
    HeaderRow header,
    Charset encoding,
    Columns columns,
    long limit,
    List<String> unlabelled) {

  /** Creates a corpus without unlabelled files. */
  public CorpusSpec(
      List<String> paths,
      Format format,
      HeaderRow header,
      Charset encoding,
      Columns columns,
      long limit) {
    this(paths, format, header, encoding, columns, limit, List.of());
  }

  /** Returns a copy that also reads files without labels. */
  public CorpusSpec withUnlabelled(List<String> files) {
    return new CorpusSpec(paths, format, header, encoding, columns, limit, files);
  }

  /**
   * Returns the spec of files without labels: the same columns, except for the label.
   *
   * @param files files, directories or globs
   */
  public CorpusSpec ofUnlabelled(List<String> files) {
    Columns others = new Columns(columns.text(), columns.pair(), null, columns.id());
    return new CorpusSpec(files, format, header, encoding, others, limit);
  }

  /** The format of the files. */
  public enum Format {
    /** Determined by the extension of each file. */
    AUTO,
    /** One row per line. */
    TEXT,
    /** RFC 4180: a field in double quotes may contain commas, line breaks and {@code ""}. */
    CSV,
    /** Fields separated by tabs, without quoting. */
    TSV,
    /** One JSON object per line. */
    JSON,
    PARQUET,
    ORC;

    /** Returns the format with a name in a recipe, such as {@code jsonl}. */
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
          Text.format("unknown corpus format '%s'", name),
          Text.format("use one of %s, jsonl", known));
    }

    /** Returns whether the first row of a file may name the columns. */
    public boolean isDelimited() {
      return this == CSV || this == TSV;
    }
  }

  /** Whether the first row of a CSV or TSV file names the columns; other formats ignore it. */
  public enum HeaderRow {
    PRESENT,
    ABSENT
  }

  /**
   * The columns to read, by name, or by index from "0" in CSV or TSV without a header. Plain text
   * has only its lines.
   *
   * @param text the text, or the first text of a pair; null only for plain text
   * @param pair the second text; null if rows are single texts
   * @param label the label; null if there is none
   * @param id the row keys; null for keys made of file and ordinal
   */
  public record Columns(
      @Nullable String text, @Nullable String pair, @Nullable String label, @Nullable String id)
      implements Serializable {
    /** The lines of plain text. */
    public static final Columns LINES = new Columns(null, null, null, null);
  }

  public CorpusSpec {
    paths = List.copyOf(paths);
    unlabelled = List.copyOf(unlabelled);
    if (paths.isEmpty()) {
      throw new IllegalArgumentException("a corpus needs a path");
    }
    if (limit < 0) {
      throw new IllegalArgumentException("limit must be 0 or more, but is " + limit);
    }
  }
}
