package io.stillhouse.target;

/**
 * A column of a cache.
 *
 * @param name its name in Parquet
 * @param family the family of files that contain it
 * @param type its physical type
 * @param doc its content: shape, masking, unit
 */
public record Column(String name, Family family, Type type, String doc) {

  /**
   * The physical type of a column. Tensors are {@link #CELL}, bytes in the {@link Dtype} of the
   * file's metadata.
   */
  public enum Type {
    STRING,
    INT,
    DOUBLE,
    /** int32 numbers, regardless of the file's dtype. */
    IDS,
    /** Unsigned bytes. */
    UINT8,
    /** Token ids: 2 bytes each, unsigned, or 4 for a large vocabulary. */
    TOKEN_IDS,
    /** float32 numbers, regardless of the file's dtype. */
    FLOAT32,
    /**
     * Numbers in the file's dtype, but float16 instead of int8, because there are too few of them
     * to scale.
     */
    UNSCALED,
    CELL;

    /** Returns whether values are tensors of floating-point numbers. */
    public boolean floating() {
      return this == FLOAT32 || this == UNSCALED || this == CELL;
    }
  }

  /** Returns the dtype of the column's numbers in a file with a dtype. */
  public Dtype dtype(Dtype file) {
    return switch (type) {
      case CELL -> file;
      case UNSCALED -> file == Dtype.INT8 ? Dtype.FLOAT16 : file;
      case FLOAT32 -> Dtype.FLOAT32;
      case STRING, INT, DOUBLE, IDS, UINT8, TOKEN_IDS ->
          throw new IllegalStateException(name + " is not a tensor of floating-point numbers");
    };
  }
}
