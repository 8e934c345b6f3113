package io.stillhouse.target;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One row as the trainer sees it.
 *
 * @param id the row's key
 * @param inputs ids and labels
 * @param dtype how the numbers of {@link Column.Type#CELL} columns are stored
 * @param cells tensor cells by column name, only those that were asked for
 * @param further the same row as further teachers read it, with their cells; empty where the
 *     student has one teacher
 */
public record Example(
    String id, Inputs inputs, Dtype dtype, Map<String, byte[]> cells, List<Example> further) {

  /** A row of one teacher. */
  public Example(String id, Inputs inputs, Dtype dtype, Map<String, byte[]> cells) {
    this(id, inputs, dtype, cells, List.of());
  }

  /**
   * What the teacher read, and what is known of it.
   *
   * @param inputIds token ids, [L]
   * @param typeIds segment of each token, [L]
   * @param mlmLabels original ids at masked positions and -100 elsewhere, [L]; null where nothing
   *     is masked
   * @param label class id or score; NaN without a label
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Inputs(int[] inputIds, int[] typeIds, int @Nullable [] mlmLabels, double label) {}

  /** Returns the same with further teachers' rows. */
  public Example with(List<Example> others) {
    return new Example(id, inputs, dtype, cells, List.copyOf(others));
  }

  /** Returns the number of tokens. */
  public int length() {
    return inputs.inputIds().length;
  }

  /** Returns whether a column was read. */
  public boolean has(Column column) {
    return cells.containsKey(column.name());
  }

  /** Returns how the numbers of a column's cells are stored. */
  public Dtype dtype(Column column) {
    return column.dtype(dtype);
  }

  /** Returns the bytes of a tensor cell. */
  public byte[] cell(Column column) {
    byte[] bytes = cells.get(column.name());
    if (bytes == null) {
      throw new IllegalStateException("column " + column.name() + " was not read for row " + id);
    }
    return bytes;
  }
}
