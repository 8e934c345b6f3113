package io.stillhouse.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class AutogradTest {
  @Test
  void factorSurvivesGarbageCollection() {
    assertThat(gradientAfterCollections(x -> Autograd.multiply(x, 3))).containsOnly(3f);
  }

  @Test
  void divisorSurvivesGarbageCollection() {
    assertThat(gradientAfterCollections(x -> Autograd.divide(x, 4))).containsOnly(0.25f);
  }

  /**
   * Returns gradients of many small graphs whose Java numbers are freed before the backward pass.
   */
  private static float[] gradientAfterCollections(UnaryOperator<NDArray> operation) {
    int graphs = 200;
    float[] gradients = new float[graphs];
    try (NDManager manager = NDManager.newBaseManager()) {
      Autograd.record(Autograd.Mode.ON);
      List<NDArray> leaves = new ArrayList<>();
      List<NDArray> results = new ArrayList<>();
      for (int i = 0; i < graphs; i++) {
        NDArray leaf = manager.ones(new Shape());
        leaf.setRequiresGradient(true);
        leaves.add(leaf);
        results.add(operation.apply(leaf));
      }
      System.gc();
      overwriteFreedMemory();
      for (int i = 0; i < graphs; i++) {
        Autograd.backward(results.get(i));
        try (NDArray gradient = Autograd.gradient(leaves.get(i))) {
          gradients[i] = gradient.getFloat();
        }
      }
    } finally {
      Autograd.record(Autograd.Mode.OFF);
    }
    return gradients;
  }

  private static void overwriteFreedMemory() {
    List<ByteBuffer> buffers = new ArrayList<>();
    for (int i = 0; i < 100_000; i++) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(4);
      buffer.putFloat(0, Float.NaN);
      buffers.add(buffer);
    }
    assertThat(buffers).hasSize(100_000);
  }
}
