package io.stillhouse.checkpoint.pickle;

import org.jspecify.annotations.Nullable;

/** The dtypes of tensors in PyTorch's checkpoints. */
enum Dtype {
  F32("FloatStorage", 4),
  F16("HalfStorage", 2),
  BF16("BFloat16Storage", 2),
  F64("DoubleStorage", 8),
  I64("LongStorage", 8),
  I32("IntStorage", 4),
  I16("ShortStorage", 2),
  I8("CharStorage", 1),
  U8("ByteStorage", 1),
  BOOL("BoolStorage", 1);

  private final String storageClass;
  private final int bytes;

  Dtype(String storageClass, int bytes) {
    this.storageClass = storageClass;
    this.bytes = bytes;
  }

  /** Returns the dtype of a class in Python's module torch, or null for other names. */
  static @Nullable Dtype ofStorageClass(String name) {
    for (Dtype dtype : values()) {
      if (dtype.storageClass.equals(name)) {
        return dtype;
      }
    }
    return null;
  }

  /** Returns the bytes of one number. */
  int bytes() {
    return bytes;
  }
}
