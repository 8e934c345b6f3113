package io.stillhouse.jobs.corpus.read;

import java.net.URI;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.apache.spark.rdd.InputFileBlockHolder;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * The records that Spark reads from Parquet or ORC: rows of text, pair, label, id, file and start
 * of the block. Texts are bytes, so that those that are not UTF-8 can be told from others.
 */
public final class ColumnarRows implements Iterator<FileRow> {
  private static final int FILE = 4;
  private static final int BLOCK = 5;

  private final Iterator<Row> rows;
  private final String format;
  private FileRow.@Nullable Block block;

  /**
   * @param format the name of the format in messages
   */
  public ColumnarRows(Iterator<Row> rows, String format) {
    this.rows = rows;
    this.format = format;
  }

  @Override
  public boolean hasNext() {
    try {
      return rows.hasNext();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      throw explained(e);
    }
  }

  @Override
  public FileRow next() {
    Row row;
    try {
      row = rows.next();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      throw explained(e);
    }
    return fileRow(row);
  }

  private RuntimeException explained(Exception error) {
    String file = String.valueOf(InputFileBlockHolder.getInputFilePath());
    return Unreadable.explained(
        file.isEmpty() ? file : new Path(URI.create(file)).toString(),
        format,
        error instanceof RuntimeException unchecked ? unchecked : new RuntimeException(error));
  }

  private FileRow fileRow(Row row) {
    FileRow.Block own = block;
    String file = row.getString(FILE);
    long start = row.getLong(BLOCK);
    if (own == null || own.start() != start || !own.file().equals(file)) {
      own = new FileRow.Block(file, start);
      block = own;
    }
    Values values = new Values(row);
    FileRow.Cells cells =
        new FileRow.Cells(
            values.text(Role.TEXT), values.text(Role.PAIR), values.label(), values.text(Role.ID));
    return values.problem == null ? FileRow.of(own, cells) : FileRow.broken(own, values.problem);
  }

  /** The values of one row. */
  private static final class Values {
    private final Row row;
    private @Nullable String problem;

    Values(Row row) {
      this.row = row;
    }

    @Nullable String text(Role role) {
      Object cell = row.get(role.ordinal());
      if (!(cell instanceof byte[] bytes)) {
        return (String) cell;
      }
      String text = Encoding.utf8(bytes);
      if (text == null) {
        problem = "not UTF-8";
      }
      return text;
    }

    FileRow.@Nullable Label label() {
      int label = Role.LABEL.ordinal();
      if (row.isNullAt(label) || !(row.get(label) instanceof scala.collection.Seq<?>)) {
        return FileRow.Label.of(text(Role.LABEL));
      }
      List<@Nullable String> several = new ArrayList<>(row.<String>getList(label));
      return new FileRow.Label(null, several);
    }
  }
}
