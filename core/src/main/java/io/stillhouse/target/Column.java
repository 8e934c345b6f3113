package io.stillhouse.target;

/**
 * One column of a family's files.
 *
 * @param name its name in Parquet
 * @param family the file it lies in
 * @param type how it is stored
 * @param doc what it holds: shape, masking, unit
 */
public record Column(String name, Family family, Type type, String doc) {

  /**
   * The physical types: tensors are {@link #CELL}, bytes in a {@link Dtype} that the file's
   * metadata names.
   */
  public enum Type {
    STRING,
    INT,
    DOUBLE,
    /** int32 numbers, whatever dtype the file's tensors have. */
    IDS,
    CELL
  }
}
