package io.stillhouse.jobs.predict;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.util.LongAccumulator;
import org.jspecify.annotations.Nullable;

/**
 * Adds columns to the rows of a partition, in their order. Up to 4,096 rows at a time are
 * tokenized, sorted by length and computed.
 *
 * @param model the model
 * @param texts the columns that the model reads
 * @param columns the columns to add
 * @param counts what is counted
 */
record PredictTask(Model model, Texts texts, AddedColumns columns, Counts counts)
    implements MapPartitionsFunction<Row, Row> {
  private static final int BUFFER_ROWS = 4096;
  private static final long BUFFER_CHARS = 8 << 20;

  /**
   * A model as the driver saw it.
   *
   * @param digest digest of its files
   * @param batchTokens maximum number of tokens of a batch
   */
  record Model(ModelLocation location, String digest, int batchTokens) implements Serializable {
    /**
     * Opens the model in a task.
     *
     * @throws io.stillhouse.error.StillhouseException if its content is not what the driver saw
     */
    InferenceModel open() throws IOException {
      if (!LoadedModels.digest(location).equals(digest)) {
        throw Errors.invalid(
            format("the model '%s' has changed since predict started", location.path()),
            "do not change a model while it is used, and keep identical copies on all machines");
      }
      return LoadedModels.open(location, batchTokens);
    }
  }

  /**
   * The columns of the texts.
   *
   * @param first index of the column of the text
   * @param second index of the column of the second text of a pair; -1 if there is none
   * @param maxLength maximum number of tokens of a row
   */
  record Texts(int first, int second, int maxLength) implements Serializable {}

  /**
   * Counts of rows. Spark adds the counts of only one successful attempt of each task.
   *
   * @param rows all rows
   * @param empty rows without a token in the text
   * @param notFinite rows for which an output of the model is infinite or NaN
   */
  record Counts(LongAccumulator rows, LongAccumulator empty, LongAccumulator notFinite)
      implements Serializable {}

  @Override
  public Iterator<Row> call(Iterator<Row> rows) throws IOException {
    if (!rows.hasNext()) {
      return Collections.emptyIterator();
    }
    InferenceModel opened = model.open();
    return new Iterator<>() {
      private Iterator<Row> ready = Collections.emptyIterator();

      @Override
      public boolean hasNext() {
        if (!ready.hasNext() && rows.hasNext()) {
          ready = extended(buffer(rows), opened).iterator();
        }
        return ready.hasNext();
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return ready.next();
      }
    };
  }

  private List<Row> buffer(Iterator<Row> rows) {
    List<Row> buffer = new ArrayList<>();
    long chars = 0;
    while (rows.hasNext() && buffer.size() < BUFFER_ROWS && chars < BUFFER_CHARS) {
      Row row = rows.next();
      chars += text(row, texts.first()).length();
      chars += texts.second() < 0 ? 0 : text(row, texts.second()).length();
      buffer.add(row);
    }
    return buffer;
  }

  /** Returns rows with the added columns, which are null for rows without a token. */
  private List<Row> extended(List<Row> rows, InferenceModel opened) {
    List<Integer> numbers = new ArrayList<>();
    List<Pairing.Input> inputs = new ArrayList<>();
    List<Encoded> first = encoded(rows, texts.first(), opened);
    List<Encoded> second = texts.second() < 0 ? first : encoded(rows, texts.second(), opened);
    Pairing pairing = opened.pairing(texts.maxLength());
    for (int row = 0; row < rows.size(); row++) {
      int[] ids = first.get(row).ids();
      if (ids.length > 0) {
        numbers.add(row);
        inputs.add(
            texts.second() < 0 ? pairing.single(ids) : pairing.pair(ids, second.get(row).ids()));
      }
    }
    float[][] vectors = columns.compute(opened, inputs);
    List<Row> extended = new ArrayList<>();
    int known = 0;
    for (int row = 0; row < rows.size(); row++) {
      boolean computed = known < numbers.size() && numbers.get(known) == row;
      extended.add(extended(rows.get(row), computed ? vectors[known++] : null));
    }
    counts.rows().add(rows.size());
    return extended;
  }

  private Row extended(Row row, float @Nullable [] vector) {
    Object[] values = new Object[row.size() + columns.types().size()];
    for (int n = 0; n < row.size(); n++) {
      values[n] = row.get(n);
    }
    if (vector == null) {
      counts.empty().add(1);
    } else if (!Outputs.areFinite(vector)) {
      counts.notFinite().add(1);
    } else {
      List<Object> added = columns.values(vector);
      for (int n = 0; n < added.size(); n++) {
        values[row.size() + n] = added.get(n);
      }
    }
    return RowFactory.create(values);
  }

  private static List<Encoded> encoded(List<Row> rows, int column, InferenceModel opened) {
    return opened.tokenizer().encode(rows.stream().map(row -> text(row, column)).toList());
  }

  private static String text(Row row, int column) {
    return row.isNullAt(column) ? "" : String.valueOf(row.get(column));
  }
}
