package io.stillhouse.train.rounds;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.torch.Float16;
import io.stillhouse.train.FlatWeights;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OuterStepTest {
  @TempDir private Path directory;

  @Test
  void weightsMeanByTokens() {
    byte[] mean =
        OuterStep.mean(
            List.of(
                new OuterStep.WorkerDelta(0, 30, floats(1, 2)),
                new OuterStep.WorkerDelta(1, 10, floats(5, -2))),
            TrainSpec.Delta.FLOAT32);

    assertThat(numbers(mean)).containsExactly(2, 1);
  }

  @Test
  void ignoresOrderOfParts() {
    List<OuterStep.WorkerDelta> deltas =
        new java.util.ArrayList<>(
            List.of(
                new OuterStep.WorkerDelta(0, 3, floats(1e-8f, 0.1f)),
                new OuterStep.WorkerDelta(1, 7, floats(1, 0.7f)),
                new OuterStep.WorkerDelta(2, 5, floats(-1, 1e9f))));
    byte[] expected = OuterStep.mean(deltas, TrainSpec.Delta.FLOAT32);

    Collections.reverse(deltas);

    assertThat(OuterStep.mean(deltas, TrainSpec.Delta.FLOAT32)).isEqualTo(expected);
  }

  @Test
  void encodesFloat16DifferencesInTwoBytes() {
    byte[] difference =
        DeltaCodec.difference(floats(1.5f, 3), floats(1, 1), TrainSpec.Delta.FLOAT16);

    assertThat(difference).hasSize(4);
    assertThat(
            numbers(
                OuterStep.mean(
                    List.of(new OuterStep.WorkerDelta(0, 1, difference)), TrainSpec.Delta.FLOAT16)))
        .containsExactly(0.5f, 2);
  }

  @Test
  void returnsNullForNonFiniteDifference() {
    byte[] one = floats(1);

    assertThat(DeltaCodec.difference(one, floats(Float.NaN), TrainSpec.Delta.FLOAT32)).isNull();
    assertThat(DeltaCodec.difference(one, floats(Float.POSITIVE_INFINITY), TrainSpec.Delta.FLOAT32))
        .isNull();
    assertThat(DeltaCodec.difference(one, floats(70000), TrainSpec.Delta.FLOAT16)).isNull();
    assertThat(DeltaCodec.difference(one, floats(70000), TrainSpec.Delta.FLOAT32)).isNotNull();
  }

  /** d = 1, then d = 2: v = 1, step 0.7 (1 + 0.5); v = 0.5 + 2, step 0.7 (2 + 1.25). */
  @Test
  void nesterovStepMatchesValuesWorkedByHand() throws IOException {
    FlatWeights weights = weights(10, 20, 30);
    FlatWeights velocity = weights.zeros();
    TrainSpec.Outer outer = new TrainSpec.Outer(0.7, 0.5, 3);

    for (float difference : new float[] {1, 2}) {
      OuterStep.apply(
          weights, velocity, List.of(floats(difference, 0), floats(-difference)), outer);
    }

    assertThat(numbers(weights.piece(0)))
        .containsExactly((float) ((float) (10 - 0.7 * 1.5) - 0.7 * 3.25), 20);
    assertThat(numbers(weights.piece(1)))
        .containsExactly((float) ((float) (30 + 0.7 * 1.5) + 0.7 * 3.25));
    assertThat(numbers(velocity.piece(0))).containsExactly(2.5f, 0);
  }

  @Test
  void rateOneWithoutMomentumGivesMeanOfWeights() throws IOException {
    FlatWeights weights = weights(10, 20, 30);

    OuterStep.apply(
        weights, weights.zeros(), List.of(floats(1, 2), floats(3)), new TrainSpec.Outer(1, 0, 3));

    assertThat(numbers(weights.piece(0))).containsExactly(9, 18);
    assertThat(numbers(weights.piece(1))).containsExactly(27);
  }

  @Test
  void float16RoundsToNearest() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      short half = (short) bits;
      float value = Float16.toFloat(half);
      if (Float.isNaN(value)) {
        assertThat(Float16.toFloat(Float16.ofFloat(value))).isNaN();
        continue;
      }
      assertThat(Float16.ofFloat(value)).isEqualTo(half);
      if (Float.isFinite(value) && (bits & 0x7fff) < 0x7bff) {
        float above = Float16.toFloat((short) (bits + 1));
        float middle = (value + above) / 2; // exact in float32; a tie goes to the even one
        assertThat(Float16.ofFloat(middle)).isEqualTo((short) (bits % 2 == 0 ? bits : bits + 1));
        assertThat(Float16.ofFloat(toward(middle, value))).isEqualTo(half);
        assertThat(Float16.ofFloat(toward(middle, above))).isEqualTo((short) (bits + 1));
      }
    }
    assertThat(Float16.ofFloat(65520)).isEqualTo((short) 0x7c00);
    assertThat(Float16.ofFloat(-1e30f)).isEqualTo((short) 0xfc00);
  }

  private static float toward(float from, float to) {
    return (float) Math.nextAfter(from, (double) to);
  }

  /** Two tensors, split into two pieces of two values. */
  private FlatWeights weights(float... values) throws IOException {
    Path file = directory.resolve("weights.safetensors");
    SafeTensors.writeLazily(
        file,
        new java.util.TreeMap<>(
            Map.of("p.a", tensor(values[0]), "p.b", tensor(values[1], values[2]), "q", tensor(1))),
        Map.of());
    FlatWeights weights = FlatWeights.read(SafeTensors.open(file), "p.", 2);
    assertThat(weights.pieces()).isEqualTo(2);
    return weights;
  }

  private static LazyTensor tensor(float... values) {
    return new LazyTensor(
        new ai.djl.ndarray.types.Shape(values.length), () -> ByteBuffer.wrap(floats(values)));
  }

  private static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putFloat(value);
    }
    return bytes.array();
  }

  private static float[] numbers(byte[] bytes) {
    float[] numbers = new float[bytes.length / 4];
    FlatWeights.floats(bytes).get(numbers);
    return numbers;
  }
}
