package io.stillhouse.target;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A row as the trainer reads it.
 *
 * @param id the row key
 * @param inputs token ids and labels
 * @param dtype the storage type of {@link Column.Type#CELL} columns
 * @param cells tensor cells by column name, of the selected columns only
 * @param additional the same row of additional teachers, with their cells; empty for a single
 *     teacher
 */
public record Example(
    String id, Inputs inputs, Dtype dtype, Map<String, byte[]> cells, List<Example> additional) {

  /** Creates a row of a single teacher. */
  public Example(String id, Inputs inputs, Dtype dtype, Map<String, byte[]> cells) {
    this(id, inputs, dtype, cells, List.of());
  }

  /**
   * The input of the teacher, and its labels.
   *
   * @param inputIds token ids, [L]
   * @param typeIds segment of each token, [L]
   * @param mlmLabels original ids at masked positions and -100 elsewhere, [L]; null if nothing is
   *     masked
   * @param label class id, score, or sum of 2^id over several labels; NaN without a label
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Inputs(int[] inputIds, int[] typeIds, int @Nullable [] mlmLabels, double label) {
    /** Returns whether the row has a label. */
    public boolean labelled() {
      return !Double.isNaN(label);
    }
  }

  /** Returns a copy with the rows of additional teachers. */
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

  /** Returns the storage type of a column. */
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
