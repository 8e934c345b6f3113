package io.stillhouse.jobs.corpus.read;

import static io.stillhouse.error.Text.format;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;
import org.jspecify.annotations.Nullable;

/**
 * The records of a byte range of a text file, in order. Empty lines of CSV, and blank lines of TSV
 * and JSON, are not records.
 */
public final class TextRows implements Iterator<FileRow> {
  private final FileRange range;
  private final Configuration hadoop;
  private final Records records;
  private @Nullable FileRow next;
  private boolean ended;

  /** Reads one record after another. */
  private interface Records extends Closeable {
    /** Returns the next record, or null at the end. */
    @Nullable FileRow next() throws IOException;
  }

  private TextRows(FileRange range, TextLayout layout, Configuration hadoop) {
    this.range = range;
    this.hadoop = hadoop;
    try {
      this.records =
          switch (layout.format()) {
            case CSV -> new CsvRecords(range, layout, hadoop);
            case TSV, JSON, TEXT -> new LineRecords(range, layout, hadoop);
            default -> throw new IllegalArgumentException(layout.format() + " is not text");
          };
    } catch (IOException | RuntimeException e) {
      throw explained(e);
    }
  }

  /** Returns whether a line of TSV is no record: it has neither text nor a second field. */
  static boolean isBlankTsv(String line) {
    return line.indexOf('\t') < 0 && line.trim().isEmpty();
  }

  /** Opens a range, which is closed at its end, or at the end of the task. */
  public static TextRows open(FileRange range, TextLayout layout, Configuration hadoop) {
    TextRows rows = new TextRows(range, layout, hadoop);
    TaskContext task = TaskContext.get();
    if (task != null) {
      task.addTaskCompletionListener((TaskCompletionListener) context -> rows.close());
    }
    return rows;
  }

  @Override
  public boolean hasNext() {
    if (next == null && !ended) {
      try {
        next = records.next();
      } catch (IOException | RuntimeException e) {
        throw explained(e);
      }
      if (next == null) {
        close();
      }
    }
    return next != null;
  }

  @Override
  public FileRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    FileRow row = Objects.requireNonNull(next);
    next = null;
    return row;
  }

  private void close() {
    if (ended) {
      return;
    }
    ended = true;
    try {
      records.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private RuntimeException explained(Exception error) {
    return Unreadable.explained(range.path(), error, hadoop);
  }

  /** CSV, whose records may have several lines. */
  private static final class CsvRecords implements Records {
    private final FileRange range;
    private final TextLayout layout;
    private final CsvParser parser;
    private final String malformed;
    private boolean atHeader;

    CsvRecords(FileRange range, TextLayout layout, Configuration hadoop) throws IOException {
      this.range = range;
      this.layout = layout;
      this.malformed = Encoding.problem(layout.charset());
      this.atHeader = layout.header();
      this.parser =
          new CsvParser(
              new StrictDecoder(TextStreams.open(range.path(), hadoop), layout.charset()));
    }

    @Override
    public @Nullable FileRow next() throws IOException {
      if (atHeader) {
        atHeader = false;
        parser.next();
      }
      if (!parser.next()) {
        return null;
      }
      String problem = parser.problem();
      if (problem != null) {
        return FileRow.broken(range.block(), problem.isEmpty() ? malformed : problem);
      }
      if (parser.count() != layout.width()) {
        return FileRow.broken(range.block(), fields(parser.count(), layout.width()));
      }
      return FileRow.of(
          range.block(),
          new FileRow.Cells(
              cell(Role.TEXT), cell(Role.PAIR), FileRow.Label.of(cell(Role.LABEL)), cell(Role.ID)));
    }

    private @Nullable String cell(Role role) {
      Integer place = layout.places().get(role);
      return place == null ? range.fromDirectory().get(role) : parser.field(place);
    }

    @Override
    public void close() throws IOException {
      parser.close();
    }
  }

  static String fields(int has, int wanted) {
    return format("%d field%s instead of %d", has, has == 1 ? "" : "s", wanted);
  }

  /** Formats whose records are lines. */
  private static final class LineRecords implements Records {
    private final FileRange range;
    private final TextLayout layout;
    private final Lines lines;
    private final JsonParsing json;
    private final String malformed;
    private boolean atHeader;
    private int[] tabs = new int[16];

    LineRecords(FileRange range, TextLayout layout, Configuration hadoop) throws IOException {
      this.range = range;
      this.layout = layout;
      this.json = new JsonParsing(layout.keys());
      this.malformed = Encoding.problem(layout.charset());
      this.atHeader = layout.header() && range.start() == 0;
      this.lines = Lines.open(range, layout.charset(), hadoop);
    }

    @Override
    public @Nullable FileRow next() throws IOException {
      while (lines.next()) {
        String line = lines.text();
        if (line == null) {
          return FileRow.broken(range.block(), malformed);
        }
        switch (layout.format()) {
          case TSV -> {
            if (!isBlankTsv(line)) {
              if (!atHeader) {
                return tsv(line);
              }
              atHeader = false;
            }
          }
          case JSON -> {
            if (!line.trim().isEmpty()) {
              return fromDirectory(json.parse(range.block(), line));
            }
          }
          default -> {
            return fromDirectory(
                FileRow.of(range.block(), new FileRow.Cells(line, null, null, null)));
          }
        }
      }
      return null;
    }

    private FileRow tsv(String line) {
      int width = 1;
      for (int tab = line.indexOf('\t'); tab >= 0; tab = line.indexOf('\t', tab + 1)) {
        if (width == tabs.length) {
          tabs = Arrays.copyOf(tabs, 2 * width);
        }
        tabs[width++] = tab;
      }
      if (width != layout.width()) {
        return FileRow.broken(range.block(), fields(width, layout.width()));
      }
      return FileRow.of(
          range.block(),
          new FileRow.Cells(
              cell(line, Role.TEXT),
              cell(line, Role.PAIR),
              FileRow.Label.of(cell(line, Role.LABEL)),
              cell(line, Role.ID)));
    }

    private @Nullable String cell(String line, Role role) {
      Integer place = layout.places().get(role);
      if (place == null) {
        return range.fromDirectory().get(role);
      }
      int from = place == 0 ? 0 : tabs[place] + 1;
      int to = place + 1 == layout.width() ? line.length() : tabs[place + 1];
      return from == to ? null : line.substring(from, to);
    }

    private FileRow fromDirectory(FileRow row) {
      Map<Role, @Nullable String> given = range.fromDirectory();
      if (given.isEmpty() || row.problem() != null) {
        return row;
      }
      FileRow.Cells cells = row.cells();
      return FileRow.of(
          range.block(),
          new FileRow.Cells(
              given.containsKey(Role.TEXT) ? given.get(Role.TEXT) : cells.text(),
              given.containsKey(Role.PAIR) ? given.get(Role.PAIR) : cells.pair(),
              given.containsKey(Role.LABEL)
                  ? FileRow.Label.of(given.get(Role.LABEL))
                  : cells.label(),
              given.containsKey(Role.ID) ? given.get(Role.ID) : cells.id()));
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }
}
