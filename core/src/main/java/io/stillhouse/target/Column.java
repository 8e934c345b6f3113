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
   * The physical types: tensors are {@link #CELL}, bytes in the recipe's {@link Dtype}, which the
   * file's metadata names.
   */
  public enum Type {
    STRING,
    INT,
    DOUBLE,
    /** int32 numbers, whatever dtype the file's tensors have. */
    IDS,
    /** Unsigned bytes. */
    UINT8,
    /** Token ids: 2 bytes each, unsigned, or 4 for a vocabulary that needs them. */
    TOKEN_IDS,
    /** float32 numbers, whatever dtype the file's tensors have. */
    FLOAT32,
    /** Numbers in the file's dtype, or in float16 where that is int8: they are too few to scale. */
    UNSCALED,
    CELL;

    /** Returns whether values are tensors of floating point numbers. */
    public boolean floating() {
      return this == FLOAT32 || this == UNSCALED || this == CELL;
    }
  }

  /** Returns how the numbers of a {@link Type#CELL}, or of an exact column, are stored. */
  public Dtype dtype(Dtype file) {
    return switch (type) {
      case CELL -> file;
      case UNSCALED -> file == Dtype.INT8 ? Dtype.FLOAT16 : file;
      case FLOAT32 -> Dtype.FLOAT32;
      case STRING, INT, DOUBLE, IDS, UINT8, TOKEN_IDS ->
          throw new IllegalStateException(name + " is no tensor of floating point numbers");
    };
  }
}
