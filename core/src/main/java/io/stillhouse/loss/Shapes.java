package io.stillhouse.loss;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;

/** Checks of shapes that the terms share. */
final class Shapes {
  private Shapes() {}

  static void requireSame(NDArray student, NDArray teacher) {
    if (!student.getShape().equals(teacher.getShape())) {
      throw new IllegalArgumentException(
          format(
              "student %s and teacher %s differ in shape", student.getShape(), teacher.getShape()));
    }
  }
}
