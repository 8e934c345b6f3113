package io.stillhouse.torch;

/** Converts IEEE 754 float16, which Java 17 does not support. */
public final class Float16 {
  private Float16() {}

  /** Returns the nearest float16, with ties to even. Values beyond its range become infinite. */
  public static short ofFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude < 0x1p-14f) {
      // Subnormal, or rounded up to the smallest normal number.
      return (short) (sign | (int) Math.rint(magnitude * 0x1p24));
    }
    int rounded = (bits & 0x7fffffff) + 0xfff + (bits >>> 13 & 1);
    int half = (rounded >>> 13) - (112 << 10);
    return (short) (sign | Math.min(half, 0x7c00));
  }

  /** Returns the same value as a float32. */
  public static float toFloat(short half) {
    int sign = (half & 0x8000) << 16;
    int exponent = half >> 10 & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0x1f) {
      return Float.intBitsToFloat(sign | 0x7f800000 | fraction << 13);
    }
    if (exponent == 0) {
      // Subnormal: a multiple of 2^-24, which float32 represents exactly.
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    return Float.intBitsToFloat(sign | ((exponent + 112) << 23) | (fraction << 13));
  }
}
