package io.stillhouse.export.int8;

/** The range of int8 weights. */
public enum WeightBits {
  /** -127 to 127. */
  EIGHT(127),
  /**
   * -63 to 63. Processors with AVX2 but without VNNI add two products with 8-bit activations in 16
   * bits, which products of 7-bit weights cannot overflow.
   */
  SEVEN(63);

  private final int largest;

  WeightBits(int largest) {
    this.largest = largest;
  }

  /** Returns the largest absolute value. */
  int largest() {
    return largest;
  }
}
