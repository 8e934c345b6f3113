package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.torch.Autograd;
import java.util.Random;
import java.util.function.Function;

/** Helpers for tests of terms: float64 arrays, their gradients, and finite differences. */
final class LossCheck {
  /**
   * The error of a central difference is about the square of this step, plus float64's rounding
   * divided by it.
   */
  private static final double STEP = 1e-5;

  private static final double GRADIENT = 1e-7;

  private LossCheck() {}

  static double[] random(int size, long seed) {
    return new Random(seed).doubles(size, -2, 2).toArray();
  }

  static NDArray array(NDManager manager, double[] values, long... shape) {
    return manager.create(values, new Shape(shape));
  }

  static NDArray floats(NDManager manager, double[] values, long... shape) {
    return array(manager, values, shape).toType(DataType.FLOAT32, false);
  }

  static double value(NDArray scalar) {
    assertThat(scalar.getShape().dimension()).as("dimensions of a loss").isZero();
    return scalar.toType(DataType.FLOAT64, true).getDouble();
  }

  static double[] gradient(
      NDManager manager, double[] at, Function<NDArray, NDArray> loss, long... shape) {
    Autograd.record(Autograd.Mode.ON);
    try {
      NDArray input = array(manager, at, shape);
      input.setRequiresGradient(true);
      Autograd.backward(loss.apply(input));
      return Autograd.gradient(input).toDoubleArray();
    } finally {
      Autograd.record(Autograd.Mode.OFF);
    }
  }

  /** Compares each element of the gradient with a central difference. */
  static void requireGradient(
      NDManager manager, double[] at, Function<NDArray, NDArray> loss, long... shape) {
    double[] gradient = gradient(manager, at, loss, shape);
    assertThat(gradient).hasSameSizeAs(at);
    double largest = 0;
    for (int i = 0; i < at.length; i++) {
      double[] moved = at.clone();
      moved[i] = at[i] + STEP;
      double above = value(loss.apply(array(manager, moved, shape)));
      moved[i] = at[i] - STEP;
      double below = value(loss.apply(array(manager, moved, shape)));
      assertThat(gradient[i])
          .as("element %d", i)
          .isCloseTo((above - below) / (2 * STEP), within(GRADIENT));
      largest = Math.max(largest, Math.abs(gradient[i]));
    }
    assertThat(largest).as("the largest element of the gradient").isGreaterThan(1e-3);
  }

  /** Returns the softmax of {@code classes} logits from an index on, in plain loops. */
  static double[] softmax(float[] logits, int from, int classes, double temperature) {
    double[] result = new double[classes];
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      result[c] = Math.exp(logits[from + c] / temperature);
      sum += result[c];
    }
    for (int c = 0; c < classes; c++) {
      result[c] /= sum;
    }
    return result;
  }
}
