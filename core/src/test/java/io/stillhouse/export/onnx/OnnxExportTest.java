package io.stillhouse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.model.Batch;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.Task;
import io.stillhouse.train.HeadPruning;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs exported golden models. */
class OnnxExportTest extends ExportedGoldens {
  /** Both sides compute in float32, and sum in different orders. */
  private static final double FLOAT32 = 1e-5;

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
        "distilbert-relu-cls-v1",
        "bilstm-tiny-single-v1",
        "bilstm-tiny-pair-v1"
      })
  void outputsMatchOurs(String name) throws IOException {
    ModelDirectory model = model(name);
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model, file);

    Batch batch = batch(name);
    try (OnnxSession session = new OnnxSession(file)) {
      assertThat(Golden.relativeError(session.run(batch), expected(model, batch), 1))
          .isLessThan(FLOAT32);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-mlm-v1",
        "bert-tiny-cls-v1",
        "distilbert-tiny-cls-v1",
        "albert-tiny-cls-v1",
        "bilstm-tiny-single-v1",
        "bilstm-tiny-pair-v1"
      })
  void ncnnFileComputesRowsAlone(String name) throws IOException {
    ModelDirectory model = model(name);
    Path file = directory.resolve("model.onnx");

    OnnxExport.writeNcnn(model, file);

    try (OnnxSession session = new OnnxSession(file)) {
      for (Batch row : rows(name)) {
        assertThat(Golden.relativeError(session.run(row), expected(model, row), 1))
            .isLessThan(FLOAT32);
      }
    }
  }

  @Test
  void inputsAndOutputsHaveOptimumsNames() throws IOException {
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model("bert-tiny-cls-v1"), file);
    try (OnnxSession session = new OnnxSession(file)) {
      assertThat(session.inputs()).containsExactly("input_ids", "attention_mask", "token_type_ids");
      assertThat(session.outputs()).containsExactly("logits");
    }
    OnnxExport.write(model("distilbert-tiny-mlm-v1"), file);
    try (OnnxSession session = new OnnxSession(file)) {
      assertThat(session.inputs()).containsExactly("input_ids", "attention_mask");
      assertThat(session.outputs()).containsExactly("logits");
    }
  }

  @Test
  void encoderWithoutHeadReturnsLastHiddenState() throws IOException {
    EncoderSpec spec = TinyModel.spec(8, 2, Head.NONE);
    ModelDirectory model = ModelDirectory.open(TinyModel.write(directory.resolve("bare"), spec));
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model, file);

    int[] ids = {2, 5, 6, 3};
    Batch batch =
        Batch.of(manager, List.of(ids, new int[] {2, 3}), List.of(new int[4], new int[2]));
    try (OnnxSession session = new OnnxSession(file)) {
      assertThat(session.outputs()).containsExactly("last_hidden_state");
      NDArray maskBL1 = batch.maskBL1();
      assertThat(
              Golden.relativeError(
                  session.run(batch).mul(maskBL1), expected(model, batch).mul(maskBL1), 1))
          .isLessThan(FLOAT32);
    }
  }

  @Test
  void severalLabelsHaveOneLogitEach() throws IOException {
    EncoderSpec spec = TinyModel.spec(8, 2, new Head(Task.MULTI_LABEL, List.of("a", "b", "c")));
    ModelDirectory model = ModelDirectory.open(TinyModel.write(directory.resolve("labels"), spec));
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model, file);

    Batch batch = Batch.of(manager, List.of(new int[] {2, 5, 3}), List.of(new int[3]));
    try (OnnxSession session = new OnnxSession(file)) {
      NDArray logits = session.run(batch);
      assertThat(logits.getShape()).isEqualTo(new Shape(1, 3));
      assertThat(Golden.relativeError(logits, expected(model, batch), 1)).isLessThan(FLOAT32);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-cls-v1", "albert-tiny-cls-v1"})
  void leavesOutPrunedHeads(String name) throws IOException {
    ModelDirectory whole = model(name);
    EncoderSpec spec = (EncoderSpec) whole.spec();
    Map<String, NDArray> weights = whole.weights(manager);
    List<List<Integer>> heads =
        spec.distinctBlocks() == 1
            ? List.of(List.of(1, 3))
            : List.of(List.of(1, 3), List.of(), List.of(2, 3, 4));
    HeadPruning.zeroWeights(spec, new PrunedHeads(heads), weights);
    Path pruned = directory.resolve("pruned");
    ModelDirectory.write(pruned, spec, weights, whole.path());
    Path file = directory.resolve("model.onnx");
    OnnxExport.write(whole, file);
    long size = Files.size(file);

    OnnxExport.write(ModelDirectory.open(pruned), file);

    long perHead = 4L * spec.headSize() * (4L * spec.hiddenSize() + 3);
    assertThat(Files.size(file)).isBetween(size - 5 * perHead - 1000, size - 2 * perHead + 100);
    Batch batch = batch(name);
    try (OnnxSession session = new OnnxSession(file)) {
      assertThat(
              Golden.relativeError(
                  session.run(batch), expected(ModelDirectory.open(pruned), batch), 1))
          .isLessThan(FLOAT32);
    }
  }

  @Test
  void blocksOfAlbertAreStoredOnce() throws IOException {
    EncoderSpec two = TinyModel.spec(Architecture.ALBERT, Head.MASKED_LM);
    EncoderSpec.Blocks blocks = two.blocks();
    EncoderSpec six =
        new EncoderSpec(
            Architecture.ALBERT,
            two.embeddingSize(),
            two.embeddings(),
            new EncoderSpec.Blocks(
                6, blocks.hiddenSize(), blocks.heads(), blocks.intermediateSize()),
            two.numerics(),
            two.head());
    ModelDirectory model = ModelDirectory.open(TinyModel.write(directory.resolve("six"), six));
    Path file = directory.resolve("model.onnx");

    OnnxExport.write(model, file);

    assertThat(initializers(file).stream().filter(name -> name.endsWith("output.dense.kernel")))
        .containsExactly(
            "bert.encoder.layer.0.attention.output.dense.kernel",
            "bert.encoder.layer.0.output.dense.kernel");
  }

  @Test
  void rejectsModelOverTwoGigabytes() {
    EncoderSpec large =
        new EncoderSpec(
            new EncoderSpec.Embeddings(250_000, 512, 2, 0),
            new EncoderSpec.Blocks(24, 1024, 16, 4096),
            new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
            Head.MASKED_LM);

    assertThatThrownBy(() -> OnnxExport.requireSupported(large))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "an ONNX file of 2,257,334,848 bytes would exceed the 2 GiB of its format; export a"
                + " smaller model, or leave ONNX out of export.formats");
  }

  private static List<String> initializers(Path file) throws IOException {
    UnknownFieldSet model = UnknownFieldSet.parseFrom(Files.readAllBytes(file));
    UnknownFieldSet graph =
        UnknownFieldSet.parseFrom(model.getField(7).getLengthDelimitedList().get(0));
    List<String> names = new ArrayList<>();
    for (ByteString tensor : graph.getField(5).getLengthDelimitedList()) {
      names.add(
          UnknownFieldSet.parseFrom(tensor)
              .getField(8)
              .getLengthDelimitedList()
              .get(0)
              .toStringUtf8());
    }
    return names;
  }
}
