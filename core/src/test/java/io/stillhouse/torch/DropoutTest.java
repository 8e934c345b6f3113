package io.stillhouse.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtSymbolBlock;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DropoutTest {
  private static final Shape SHAPE = new Shape(100, 1001);

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void dropsGivenRateAndKeepsMean() {
    for (double rate : new double[] {0.1, 0.5, 0.9}) {
      float[] values = drop(7, rate);

      assertThat(share(values)).isCloseTo(rate, within(0.005));
      float kept = (float) (65536.0 / (65536 - Math.round(rate * 65536)));
      for (float value : values) {
        assertThat(value == 0 || value == kept).isTrue();
      }
    }
  }

  @Test
  void neighborsAreIndependent() {
    float[] values = drop(3, 0.5);
    for (int distance : new int[] {1, 2, 3, 4, 1001}) {
      int both = 0;
      for (int i = distance; i < values.length; i++) {
        both += values[i] == 0 && values[i - distance] == 0 ? 1 : 0;
      }
      assertThat((double) both / values.length).isCloseTo(0.25, within(0.006));
    }
  }

  @Test
  void masksDependOnKeyAndOrderOfCalls() {
    NDArray ones = manager.ones(SHAPE);
    Dropout dropout = Dropout.of(5);
    float[] first = dropout.apply(ones, 0.1).toFloatArray();
    float[] second = dropout.apply(ones, 0.1).toFloatArray();

    assertThat(second).isNotEqualTo(first);
    assertThat(drop(5, 0.1)).isEqualTo(first);
    assertThat(drop(6, 0.1)).isNotEqualTo(first);
  }

  @Test
  void masksDrawnAheadEqualMasksOfJava() {
    Shape other = new Shape(3, 4, 5);
    List<Dropout.Request> wanted =
        List.of(
            new Dropout.Request(SHAPE, 0.1),
            new Dropout.Request(other, 0.5),
            new Dropout.Request(SHAPE, 0),
            new Dropout.Request(SHAPE, 0.1),
            new Dropout.Request(SHAPE, 0.9));
    Dropout java = Dropout.of(-5);
    Dropout device = Dropout.of(-5);
    try (PtSymbolBlock ops = Dropout.compile(manager)) {
      device.drawAhead(ops, manager, wanted);

      for (Dropout.Request one : wanted) {
        assertSame(device, java, one);
      }
      assertSame(device, java, new Dropout.Request(other, 0.1)); // drawn afterwards
    }
  }

  @Test
  void rejectsShapeOtherThanDrawnAhead() {
    Dropout dropout = Dropout.of(-5);
    try (PtSymbolBlock ops = Dropout.compile(manager)) {
      dropout.drawAhead(ops, manager, List.of(new Dropout.Request(SHAPE, 0.1)));
    }

    assertThatIllegalStateException()
        .isThrownBy(() -> dropout.mask(manager, new Shape(3), 0.1))
        .withMessage("the mask drawn ahead has shape (100, 1001), but (3) is needed");
  }

  @Test
  void drawsNothingAheadInInference() {
    try (PtSymbolBlock ops = Dropout.compile(manager)) {
      Dropout.NONE.drawAhead(ops, manager, List.of(new Dropout.Request(SHAPE, 0.1)));
    }

    assertThat(Dropout.NONE.mask(manager, SHAPE, 0.1)).isNull();
  }

  private void assertSame(Dropout device, Dropout java, Dropout.Request wanted) {
    NDArray mask = device.mask(manager, wanted.shape(), wanted.rate());
    NDArray expected = java.mask(manager, wanted.shape(), wanted.rate());
    if (expected == null) {
      assertThat(mask).isNull();
      return;
    }
    assertThat(mask.getShape()).isEqualTo(wanted.shape());
    assertThat(mask.toFloatArray()).isEqualTo(expected.toFloatArray());
  }

  @Test
  void concurrentDrawsDoNotChangeMasks() throws ExecutionException, InterruptedException {
    float[] alone = drop(5, 0.3);
    CompletableFuture<Void> other = CompletableFuture.runAsync(() -> drop(9, 0.3));
    float[] beside = drop(5, 0.3);
    other.get();

    assertThat(beside).isEqualTo(alone);
  }

  @Test
  void gradientEqualsMask() {
    NDArray input = manager.full(SHAPE, 2f);
    input.setRequiresGradient(true);
    Autograd.record(Autograd.Mode.ON);
    NDArray output = Dropout.of(5).apply(input, 0.1);
    Autograd.backward(output.sum());
    Autograd.record(Autograd.Mode.OFF);

    assertThat(Autograd.gradient(input).toFloatArray()).isEqualTo(drop(5, 0.1));
  }

  @Test
  void dropsNothingInInference() {
    NDArray input = manager.ones(SHAPE);

    assertThat(Dropout.NONE.apply(input, 0.5)).isSameAs(input);
    assertThat(Dropout.of(1).apply(input, 0)).isSameAs(input);
  }

  private float[] drop(long key, double rate) {
    return Dropout.of(key).apply(manager.ones(SHAPE), rate).toFloatArray();
  }

  private static double share(float[] values) {
    int zeros = 0;
    for (float value : values) {
      zeros += value == 0 ? 1 : 0;
    }
    return (double) zeros / values.length;
  }
}
