package io.stillhouse.jobs.report;

import java.util.ArrayList;
import java.util.List;

/**
 * A table of the page.
 *
 * @param id a name that no other table of the page has
 * @param caption what it shows
 * @param folded whether readers open it first
 * @param heads the columns
 * @param rows the rows
 */
record Table(String id, String caption, boolean folded, List<Head> heads, List<Row> rows) {

  /** How a column is aligned, which is also the class of its cells. */
  enum Kind {
    TEXT("t"),
    NUMBER("n"),
    LONG_TEXT("l");

    private final String css;

    Kind(String css) {
      this.css = css;
    }
  }

  /** A column. */
  record Head(String text, String css) {}

  /** A row: the name of what it is about, and its cells. */
  record Row(Cell name, List<Cell> cells) {}

  /** A cell. */
  record Cell(String text, String css) {}

  /** Collects the columns and the rows of a table. */
  static final class Builder {
    private final String id;
    private final String caption;
    private final List<Head> heads = new ArrayList<>();
    private final List<Row> rows = new ArrayList<>();

    Builder(String id, String caption) {
      this.id = id;
      this.caption = caption;
    }

    Builder column(String name, Kind kind) {
      heads.add(new Head(name, kind.css));
      return this;
    }

    /** Adds a row; the first cell names it. */
    Builder row(List<String> cells) {
      List<Cell> all = new ArrayList<>();
      for (int column = 0; column < cells.size(); column++) {
        all.add(new Cell(cells.get(column), heads.get(column).css()));
      }
      rows.add(new Row(all.get(0), List.copyOf(all.subList(1, all.size()))));
      return this;
    }

    boolean isEmpty() {
      return rows.isEmpty();
    }

    /** Returns the table as readers see it at once. */
    Table shown() {
      return new Table(id, caption, false, heads, rows);
    }

    /** Returns the table as readers can unfold it. */
    Table folded() {
      return new Table(id, caption, true, heads, rows);
    }
  }
}
