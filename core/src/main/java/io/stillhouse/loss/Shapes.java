package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;

/** Checks of shapes that the terms share. */
final class Shapes {
  private Shapes() {}

  static void requireSame(NDArray student, NDArray teacher) {
    if (!student.getShape().equals(teacher.getShape())) {
      throw new IllegalArgumentException(
          "student %s and teacher %s differ in shape"
              .formatted(student.getShape(), teacher.getShape()));
    }
  }
}
