package io.stillhouse.spark;

import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Appends the output column to the rows of a partition, in their order, {@code batchSize} rows at a
 * time. Spark may pass the returned rows to the next function unchanged, so they have a schema, and
 * Scala sequences for arrays.
 *
 * @param schema the columns of the rows and the output column
 * @param location the model
 * @param column index of the column of texts
 * @param batchSize number of rows that are computed together
 * @param maxLength maximum number of tokens, including special tokens
 */
record TextRows(
    StructType schema,
    ModelLocation location,
    int column,
    int batchSize,
    int maxLength,
    TextOutput output)
    implements MapPartitionsFunction<Row, Row> {

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    return new Appended(rows);
  }

  private final class Appended implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final Deque<Row> ready = new ArrayDeque<>();

    Appended(Iterator<Row> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      return !ready.isEmpty() || rows.hasNext();
    }

    @Override
    public Row next() {
      if (ready.isEmpty()) {
        fill();
      }
      return ready.remove();
    }

    private void fill() {
      List<Row> batch = new ArrayList<>(batchSize);
      while (batch.size() < batchSize && rows.hasNext()) {
        batch.add(rows.next());
      }
      if (batch.isEmpty()) {
        throw new NoSuchElementException();
      }
      try {
        append(batch);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private void append(List<Row> batch) throws IOException {
      // Opened for each batch, because a later stage may read rows in another thread of the task.
      InferenceModel model = LoadedModels.open(location);
      Pairing pairing = model.pairing(maxLength);
      List<String> texts = new ArrayList<>(batch.size());
      for (Row row : batch) {
        texts.add(row.isNullAt(column) ? "" : row.getString(column));
      }
      List<Pairing.Input> inputs = new ArrayList<>(batch.size());
      List<Encoded> encoded = model.tokenizer().encode(texts);
      encoded.stream()
          .filter(tokens -> tokens.ids().length > 0)
          .forEach(tokens -> inputs.add(pairing.single(tokens.ids())));
      Iterator<Object> outputs =
          inputs.isEmpty() ? List.of().iterator() : output.of(model, inputs).iterator();
      for (int n = 0; n < batch.size(); n++) {
        boolean empty = encoded.get(n).ids().length == 0;
        ready.add(appended(batch.get(n), empty ? null : outputs.next()));
      }
    }
  }

  private Row appended(Row row, @Nullable Object output) {
    Object[] values = new Object[row.size() + 1];
    for (int column = 0; column < row.size(); column++) {
      values[column] = row.get(column);
    }
    values[row.size()] = output;
    return new GenericRowWithSchema(values, schema);
  }
}
