package io.stillhouse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.export.int8.Int8Result;
import io.stillhouse.export.int8.Int8Variant;
import io.stillhouse.export.int8.WeightBits;
import io.stillhouse.model.Batch;
import io.stillhouse.target.Example;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs golden models with int8 weights. */
class Int8ExportTest extends ExportedGoldens {
  /**
   * Relative error of the logits. Each product of random tiny models has a relative error near 1 %,
   * and three blocks have 18 of them.
   */
  private static final double INT8 = 0.06;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        "bert-tiny-cls-v1",
        "bert-tiny-reg-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-tiny-cls-v1",
        "bert-relu-mlm-v1",
        "bilstm-tiny-single-v1",
        "bilstm-tiny-pair-v1"
      })
  void outputsAreCloseToFloat32(String name) throws IOException {
    ModelDirectory model = model(name);

    double error = error(model, name, WeightBits.EIGHT, List.of());

    assertThat(error).isBetween(1e-4, INT8);
  }

  @ParameterizedTest
  @EnumSource(WeightBits.class)
  void sevenBitsAreLessExact(WeightBits bits) throws IOException {
    double error = error(model("bert-tiny-mlm-v1"), "bert-tiny-mlm-v1", bits, List.of());

    assertThat(error).isBetween(1e-4, bits == WeightBits.EIGHT ? INT8 : 2 * INT8);
  }

  @Test
  void writesPlainVariantWithoutRows() throws IOException {
    Int8Result result =
        OnnxExport.writeInt8(
            model("bert-tiny-cls-v1"),
            directory.resolve("model.onnx"),
            WeightBits.EIGHT,
            List.of());

    assertThat(result.variant()).isEqualTo(Int8Variant.PLAIN);
    assertThat(result.errors()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-cls-v1", "albert-tiny-mlm-v1", "distilbert-tiny-cls-v1"})
  void writtenFileHasErrorOfChosenVariant(String name) throws IOException {
    ModelDirectory model = model(name);
    List<Pairing.Input> inputs = inputs(name);
    Path file = directory.resolve("model.onnx");

    Int8Result result = OnnxExport.writeInt8(model, file, WeightBits.EIGHT, inputs);

    assertThat(result.errors()).containsOnlyKeys(Int8Variant.values());
    double chosen = result.errors().get(result.variant());
    assertThat(result.errors().values()).allMatch(error -> error >= 0.9 * chosen);
    double sum = 0;
    long numbers = 0;
    try (OnnxSession session = new OnnxSession(file)) {
      for (int row = 1; row < inputs.size(); row += 2) {
        Pairing.Input input = inputs.get(row);
        Batch batch = Batch.of(manager, List.of(input.ids()), List.of(input.tokenTypes()));
        NDArray difference = session.run(batch).sub(expected(model, batch));
        sum += difference.abs().sum().getFloat();
        numbers += difference.size();
      }
    }
    // A number half-way between two integers may be rounded to the other one.
    assertThat(sum / numbers).isCloseTo(chosen, within(0.1 * chosen));
  }

  private List<Pairing.Input> inputs(String name) {
    List<Pairing.Input> inputs = new ArrayList<>();
    for (Example row : new Golden(name + "/golden.safetensors", manager).examples()) {
      int[] ids = row.inputs().inputIds();
      int[] text = Arrays.copyOfRange(ids, 1, ids.length - 1);
      inputs.add(new Pairing(ids[0], ids[ids.length - 1], ids.length + 1).single(text));
    }
    return inputs;
  }

  private double error(ModelDirectory model, String name, WeightBits bits, List<Pairing.Input> rows)
      throws IOException {
    Path file = directory.resolve("model_quantized.onnx");
    OnnxExport.writeInt8(model, file, bits, rows);
    Batch batch = batch(name);
    try (OnnxSession session = new OnnxSession(file)) {
      return Golden.relativeError(session.run(batch), expected(model, batch), 1);
    }
  }
}
