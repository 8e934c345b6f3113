package io.stillhouse.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.loss.LabelLoss;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HeadGradientsTest {
  /** Gradients add up float32 rounding over three blocks, forward and backward. */
  private static final double TOLERANCE = 1e-4;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        "bert-tiny-cls-v1",
        "bert-tiny-reg-v1",
        "distilbert-tiny-mlm-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-tiny-cls-v1"
      })
  void gradientsOfEachRowMatchHuggingFace(String model) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      List<Example> rows = new Golden(model + "/golden.safetensors", manager).examples();
      NDArray expected = new Golden(model + "/heads.safetensors", manager).read("gradients");

      double[][][] actual = HeadGradients.of(manager, encoder(manager, model), rows);

      for (int row = 0; row < rows.size(); row++) {
        NDArray ofPasses = expected.get(row);
        NDArray ofRow = model.startsWith("albert") ? ofPasses.sum(new int[] {0}) : ofPasses;
        NDArray ours = manager.create(flat(actual[row]), ofRow.getShape());
        assertThat(Golden.norm(ofRow)).isPositive();
        assertThat(Golden.relativeError(ours, ofRow, 0)).as("row %d", row).isLessThan(TOLERANCE);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"bert-tiny-mlm-v1", "bert-tiny-cls-v1", "bert-tiny-reg-v1", "albert-tiny-cls-v1"})
  void gradientsMatchFiniteDifferences(String model) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Example row = new Golden(model + "/golden.safetensors", manager).examples().get(1);
      requireDifferences(manager, encoder(manager, model), row);
    }
  }

  @Test
  void multiLabelGradientsMatchFiniteDifferences() throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Autograd.record(Autograd.Mode.OFF);
      HuggingFaceDirectory directory =
          HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
      EncoderSpec spec =
          directory.spec().withHead(new Head(Task.MULTI_LABEL, List.of("a", "b", "c")));
      Encoder encoder = new Encoder(spec, directory.weights(manager));
      int[] ids = {2, 7, 60, 12, 3};
      Example row =
          new Example(
              "row",
              new Example.Inputs(ids, new int[ids.length], null, 0b101),
              Dtype.FLOAT32,
              Map.of());
      requireDifferences(manager, encoder, row);
    }
  }

  private static void requireDifferences(NDManager manager, Encoder encoder, Example row) {
    double[][] gradients = HeadGradients.of(manager, encoder, List.of(row))[0];
    double largest = Arrays.stream(flat(gradients)).map(Math::abs).max().orElseThrow();
    double step = 0.05; // the third derivative costs step^2, float32's rounding 1e-7 / step
    for (int block = 0; block < gradients.length; block++) {
      for (int head = 0; head < gradients[block].length; head++) {
        double up = loss(manager, encoder, row, block, head, 1 + step);
        double down = loss(manager, encoder, row, block, head, 1 - step);
        assertThat((up - down) / (2 * step))
            .as("block %d, head %d", block, head)
            .isCloseTo(gradients[block][head], within(0.01 * largest));
      }
    }
  }

  private static double loss(
      NDManager manager, Encoder encoder, Example row, int block, int head, double factor) {
    try (NDManager scope = manager.newSubManager()) {
      List<NDArray> factors = new ArrayList<>();
      for (int b = 0; b < encoder.spec().layers(); b++) {
        float[] ofBlock = new float[encoder.spec().heads()];
        Arrays.fill(ofBlock, 1f);
        if (b == block || encoder.spec().distinctBlocks() == 1) {
          ofBlock[head] = (float) factor;
        }
        factors.add(scope.create(ofBlock, new Shape(1, ofBlock.length)));
      }
      TargetBatch targets = new TargetBatch(scope, List.of(row), TeacherParts.NONE);
      return LabelLoss.sumOverRows(
              encoder,
              encoder.forward(targets.batch(), Capture.NONE, Dropout.NONE, factors),
              targets)
          .getFloat();
    }
  }

  private static Encoder encoder(NDManager manager, String model) throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    HuggingFaceDirectory directory = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
    return new Encoder(directory.spec(), directory.weights(manager));
  }

  private static double[] flat(double[][] numbers) {
    return Arrays.stream(numbers).flatMapToDouble(Arrays::stream).toArray();
  }
}
