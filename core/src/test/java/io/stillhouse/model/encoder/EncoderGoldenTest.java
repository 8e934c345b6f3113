package io.stillhouse.model.encoder;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares outputs and gradients of small random encoders with Hugging Face's. */
class EncoderGoldenTest {
  /** float32 rounding over three blocks. */
  private static final double OUTPUTS = 1e-5;

  /** Gradients add up rounding over the batch. */
  private static final double GRADIENTS = 1e-4;

  /**
   * Gradients with a smaller share of the whole gradient's norm are only rounding: those of the key
   * biases are mathematically zero.
   */
  private static final double FLOOR = 1e-3;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        "bert-tiny-cls-v1",
        "bert-tiny-reg-v1",
        "distilbert-tiny-mlm-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-tiny-cls-v1",
        "albert-gelu_new-mlm-v1",
        "bert-relu-mlm-v1",
        "bert-gelu_pytorch_tanh-cls-v1",
        "distilbert-relu-cls-v1"
      })
  void outputsMatchHuggingFace(String model) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Autograd.record(Autograd.Mode.OFF);
      Golden golden = new Golden(model + "/golden.safetensors", manager);
      HuggingFaceDirectory directory = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
      EncoderSpec spec = directory.spec();
      Encoder encoder = new Encoder(spec, directory.weights(manager));
      TargetBatch targets = new TargetBatch(manager, golden.examples(), TeacherParts.NONE);

      EncoderOutput output =
          encoder.forward(targets.batch(), Capture.everything(spec.layers()), Dropout.NONE);

      NDArray maskBL1 = targets.batch().maskBL1();
      for (int layer = 0; layer <= spec.layers(); layer++) {
        requireClose(
            output.hidden(layer).mul(maskBL1),
            golden.read(format("hidden_%02d", layer)).mul(maskBL1));
      }
      long longest = targets.batch().longest();
      NDArray pairs = maskBL1.reshape(-1, 1, longest, 1).mul(maskBL1.reshape(-1, 1, 1, longest));
      for (int block = 1; block <= spec.layers(); block++) {
        requireClose(
            output.scores(block).mul(pairs),
            golden.read(format("attention_%02d", block)).mul(pairs));
      }
      if (spec.head().task() == Task.MASKED_LM) {
        NDArray logits =
            encoder
                .maskedLmLogits(output.last().reshape(-1, spec.hiddenSize()))
                .reshape(targets.batch().rows(), longest, -1);
        requireClose(logits.mul(maskBL1), golden.read("logits").mul(maskBL1));
      } else {
        requireClose(output.logits(), golden.read("logits"));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        "bert-tiny-cls-v1",
        "bert-tiny-reg-v1",
        "distilbert-tiny-mlm-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-tiny-cls-v1",
        "albert-gelu_new-mlm-v1",
        "bert-relu-mlm-v1",
        "bert-gelu_pytorch_tanh-cls-v1",
        "distilbert-relu-cls-v1"
      })
  void lossAndGradientsMatchHuggingFace(String model) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Golden golden = new Golden(model + "/golden.safetensors", manager);
      HuggingFaceDirectory directory = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
      Map<String, NDArray> weights = directory.weights(manager);
      weights.values().forEach(weight -> weight.setRequiresGradient(true));
      Encoder encoder = new Encoder(directory.spec(), weights);
      DistillLoss loss = new DistillLoss(hardLabels(3), encoder, Map.of());
      TargetBatch targets = new TargetBatch(manager, golden.examples(), TeacherParts.NONE);
      Autograd.record(Autograd.Mode.ON);

      EncoderOutput output = encoder.forward(targets.batch(), Capture.NONE, Dropout.NONE);
      DistillLoss.Value value = loss.of(output, targets, Counts.of(golden.examples()));
      Autograd.backward(value.total());
      Autograd.record(Autograd.Mode.OFF);

      assertThat(value.terms().get(Term.HARD_LABEL) / golden.read("loss").getFloat())
          .isBetween(1 - OUTPUTS, 1 + OUTPUTS);
      List<String> names =
          golden.names().stream().filter(name -> name.startsWith("grad.")).toList();
      assertThat(names).hasSize(weights.size());
      double whole =
          Math.sqrt(
              names.stream().mapToDouble(n -> Math.pow(Golden.norm(golden.read(n)), 2)).sum());
      for (String name : names) {
        NDArray gradient = Autograd.gradient(weights.get(name.substring("grad.".length())));
        assertThat(Golden.relativeError(gradient, golden.read(name), FLOOR * whole))
            .as(name)
            .isLessThan(GRADIENTS);
      }
    }
  }

  private static DistillSpec hardLabels(int layers) {
    return new DistillSpec(
        IntStream.rangeClosed(0, layers).boxed().toList(),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        1,
        DistillSpec.Hidden.NONE,
        0,
        DistillSpec.Relations.NONE);
  }

  private static void requireClose(NDArray actual, NDArray expected) {
    assertThat(Golden.relativeError(actual, expected, 0)).isLessThan(OUTPUTS);
  }
}
