package io.stillhouse.model.encoder;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThatCode;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares with Hugging Face's outputs and with {@link Encoder}, on a padded batch. */
class InferenceEncoderTest {
  /** float32 rounding over three blocks: {@link EncoderGoldenTest}'s own tolerance. */
  private static final double FLOAT32 = 1e-5;

  /** bfloat16 has 8 bits: half a unit in the last place is 2^-9, four such products in a block. */
  private static final double BFLOAT16 = 3 * Math.sqrt(4) / 512;

  private static final String TASK = "bert-tiny-cls-v1";

  private final NDManager manager = NDManager.newBaseManager();
  private final Capture everything = Capture.everything(3);

  @BeforeEach
  void recordNothing() {
    Autograd.record(Autograd.Mode.OFF);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        TASK,
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
    Golden golden = new Golden(model + "/golden.safetensors", manager);
    Batch batch = batch(model);

    EncoderOutput output = encoder(model, Precision.FLOAT32).forward(batch, everything);

    NDArray tokens = batch.maskBL1();
    for (int layer = 0; layer <= 3; layer++) {
      requireClose(output.hidden(layer), golden.read(format("hidden_%02d", layer)), tokens);
    }
    for (int block = 1; block <= 3; block++) {
      requireClose(
          output.scores(block), golden.read(format("attention_%02d", block)), pairs(batch));
    }
    if (output.logits() != null) {
      assertThat(Golden.relativeError(output.logits(), golden.read("logits"), 0))
          .isLessThan(FLOAT32);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        TASK,
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
  void outputsMatchReference(String model) throws IOException {
    Batch batch = batch(model);
    InferenceEncoder encoder = encoder(model, Precision.FLOAT32);

    assertThat(errors(encoder, batch, everything).values()).allMatch(error -> error < FLOAT32);
    // Without scores:
    assertThat(errors(encoder, batch, Capture.of(Set.of(0, 1, 3), Set.of())).values())
        .hasSize(3 + (model.contains("mlm") ? 0 : 1))
        .allMatch(error -> error < FLOAT32);
  }

  @Test
  void rejectsCaptureOfQueriesKeysOrValues() throws IOException {
    InferenceEncoder encoder = encoder(TASK, Precision.FLOAT32);
    Capture queries =
        new Capture(Set.of(), Set.of(), Set.of(), Map.of(1, List.of(AttentionPart.QUERY)));
    Batch batch = batch(TASK);

    assertThatThrownBy(() -> encoder.forward(batch, queries))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("inference does not return queries, keys or values");
  }

  @Test
  void keepsOnlyCapturedOutputs() throws IOException {
    EncoderOutput output =
        encoder(TASK, Precision.FLOAT32)
            .forward(batch(TASK), new Capture(Set.of(1), Set.of(2), Set.of(3), Map.of()));

    assertThat(output.hidden()).containsOnlyKeys(1);
    assertThat(output.scores()).containsOnlyKeys(2);
    assertThat(output.valueRelations()).containsOnlyKeys(3);
  }

  @Test
  void outputsDoNotDependOnCapture() throws IOException {
    InferenceEncoder encoder = encoder(TASK, Precision.FLOAT32);

    EncoderOutput all = encoder.forward(batch(TASK), everything);
    EncoderOutput one =
        encoder.forward(batch(TASK), new Capture(Set.of(3), Set.of(2), Set.of(), Map.of()));

    assertThat(one.hidden(3).toFloatArray()).isEqualTo(all.hidden(3).toFloatArray());
    assertThat(one.scores(2).toFloatArray()).isEqualTo(all.scores(2).toFloatArray());
  }

  @Test
  void bfloat16IsCloseAndReproducible() throws IOException {
    assumeThatCode(() -> Precision.BFLOAT16.requireProcessor("cache.precision"))
        .doesNotThrowAnyException();
    Batch batch = batch(TASK);
    InferenceEncoder encoder = encoder(TASK, Precision.BFLOAT16);

    Map<String, Double> errors = errors(encoder, batch, everything);

    assertThat(errors.remove("hidden 0")).as("no product is rounded before it").isZero();
    assertThat(errors.values()).hasSize(3 + 3 + 3 + 1).allMatch(error -> error < BFLOAT16);
    assertThat(errors.get("hidden 3")).as("float32 would be closer").isGreaterThan(1e-4);
    assertThat(encoder.forward(batch, everything).last())
        .isEqualTo(encoder.forward(batch, everything).last());
  }

  @Test
  void rejectsBfloat16OnUnsupportedProcessor() {
    String without = "flags\t\t: fpu avx2 avx512f avx512bw\n";

    assertThatThrownBy(() -> Precision.BFLOAT16.requireProcessor("cache.precision", without))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "cache.precision is bfloat16, but this processor has no bfloat16 products"
                + " (avx512_bf16 or amx_bf16); set cache.precision=float32, or use machines that"
                + " have them");
    assertThatCode(() -> Precision.FLOAT32.requireProcessor("cache.precision", without))
        .doesNotThrowAnyException();
    assertThatCode(
            () ->
                Precision.BFLOAT16.requireProcessor(
                    "cache.precision", without + "flags : avx512_bf16\n"))
        .doesNotThrowAnyException();
  }

  private InferenceEncoder encoder(String model, Precision precision) throws IOException {
    HuggingFaceDirectory directory = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
    Encoder encoder = new Encoder(directory.spec(), directory.weights(manager));
    return new InferenceEncoder(encoder, manager, precision);
  }

  /** Returns the golden rows, which have several lengths. */
  private Batch batch(String model) {
    Golden golden = new Golden(model + "/golden.safetensors", manager);
    Batch batch = new TargetBatch(manager, golden.examples(), TeacherParts.NONE).batch();
    assertThat(batch.tokens()).isLessThan((long) batch.rows() * batch.longest());
    return batch;
  }

  private static NDArray pairs(Batch batch) {
    NDArray maskBL1 = batch.maskBL1();
    long longest = batch.longest();
    return maskBL1.reshape(-1, 1, longest, 1).mul(maskBL1.reshape(-1, 1, 1, longest));
  }

  /** Returns the relative error of each output at real tokens, compared with the reference. */
  private static Map<String, Double> errors(
      InferenceEncoder encoder, Batch batch, Capture capture) {
    EncoderOutput fast = encoder.forward(batch, capture);
    EncoderOutput plain = encoder.encoder().forward(batch, capture, Dropout.NONE);
    Map<String, Double> errors = new LinkedHashMap<>();
    fast.hidden()
        .forEach(
            (layer, own) ->
                errors.put("hidden " + layer, error(own, plain.hidden(layer), batch.maskBL1())));
    fast.scores()
        .forEach(
            (block, own) ->
                errors.put("scores " + block, error(own, plain.scores(block), pairs(batch))));
    fast.valueRelations()
        .forEach(
            (block, own) ->
                errors.put(
                    "relations " + block, error(own, plain.valueRelations(block), pairs(batch))));
    if (fast.logits() != null) {
      errors.put("logits", Golden.relativeError(fast.logits(), plain.logits(), 0));
    }
    return errors;
  }

  private static double error(NDArray actual, NDArray expected, NDArray mask) {
    return Golden.relativeError(actual.mul(mask), expected.mul(mask), 0);
  }

  private static void requireClose(NDArray actual, NDArray expected, NDArray mask) {
    assertThat(error(actual, expected, mask)).isLessThan(FLOAT32);
  }
}
