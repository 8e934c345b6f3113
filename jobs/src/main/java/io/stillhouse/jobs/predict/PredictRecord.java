package io.stillhouse.jobs.predict;

import java.util.List;

/**
 * The result of predict on a table, as written to {@code _predict.json}.
 *
 * @param model the model
 * @param table the tables that were read and written
 * @param rows number of rows, in the table and in the output
 * @param emptyRows rows whose predictions are null because the text has no token
 * @param notFiniteRows rows whose predictions are null because the model's output is not finite
 * @param seconds duration of reading, computing and writing
 * @param rowsPerSecond rows per second
 */
public record PredictRecord(
    Model model,
    Table table,
    long rows,
    long emptyRows,
    long notFiniteRows,
    double seconds,
    double rowsPerSecond) {
  /**
   * The model.
   *
   * @param path its path
   * @param form its form, such as {@code onnx-int8}
   * @param digest SHA-256 of its files
   */
  public record Model(String path, String form, String digest) {}

  /**
   * The tables.
   *
   * @param input the table that was read
   * @param output directory of the output
   * @param format format of the output
   * @param columns names of the added columns
   */
  public record Table(String input, String output, String format, List<String> columns) {}
}
