package io.stillhouse.export.onnx;

/** A dtype of ONNX tensors, with its number in onnx.proto. */
enum ElementType {
  FLOAT(1, Float.BYTES),
  INT8(3, Byte.BYTES),
  INT64(7, Long.BYTES);

  private final int number;
  private final int width;

  ElementType(int number, int width) {
    this.number = number;
    this.width = width;
  }

  int number() {
    return number;
  }

  /** Returns the bytes of one number. */
  int width() {
    return width;
  }
}
