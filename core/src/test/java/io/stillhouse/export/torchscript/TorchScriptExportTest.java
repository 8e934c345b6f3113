package io.stillhouse.export.torchscript;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Archives of all architectures and heads, loaded with DJL and compared with our own models. */
class TorchScriptExportTest {
  /** Rows of different lengths, the longest not first. */
  private static final int[] LENGTHS = {5, 6, 3};

  private final NDManager manager = NDManager.newBaseManager();
  @TempDir private Path directory;

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert-tiny-cls-v1",
        "bert-tiny-reg-v1",
        "bert-tiny-mlm-v1",
        "bert-relu-mlm-v1",
        "bert-gelu_pytorch_tanh-cls-v1",
        "distilbert-tiny-cls-v1",
        "distilbert-relu-cls-v1",
        "distilbert-tiny-mlm-v1",
        "albert-tiny-cls-v1",
        "albert-tiny-mlm-v1",
        "albert-gelu_new-mlm-v1",
        "bilstm-tiny-single-v1",
        "bilstm-tiny-pair-v1"
      })
  void computesSameLogits(String name) throws Exception {
    assertSameResults(ModelDirectory.open(Golden.DIRECTORY.resolve(name)));
  }

  @ParameterizedTest
  @EnumSource(Architecture.class)
  void returnsLastHiddenStatesWithoutHead(Architecture architecture) throws Exception {
    EncoderSpec spec = TinyModel.spec(architecture, Head.NONE);
    Path model = TinyModel.write(directory.resolve("bare"), spec);

    assertSameResults(ModelDirectory.open(model));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-mlm-v1", "distilbert-tiny-mlm-v1", "albert-tiny-mlm-v1"})
  void storesSharedTensorsOnce(String name) throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve(name));
    TorchScriptExport.write(model, directory);

    try (ZipFile zip = new ZipFile(directory.resolve("model.pt").toFile())) {
      assertThat(zip.stream().filter(entry -> entry.getName().startsWith("model/data/")))
          .hasSameSizeAs(model.spec().parameters().keySet());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-cls-v1", "distilbert-tiny-cls-v1", "albert-tiny-cls-v1"})
  void namesParametersAsHuggingFace(String name) throws Exception {
    Path golden = Golden.DIRECTORY.resolve(name);
    TorchScriptExport.write(ModelDirectory.open(golden), directory);

    try (ZooModel<NDList, NDList> loaded = load()) {
      assertThat(loaded.getBlock().getParameters().keys())
          .containsExactlyInAnyOrderElementsOf(
              SafeTensors.open(golden.resolve("model.safetensors")).names());
    }
  }

  private void assertSameResults(ModelDirectory model) throws Exception {
    Batch batch = batch(model.spec());
    NDArray expected = expected(model, batch);
    TorchScriptExport.write(model, directory);

    NDArray actual = actual(inputs(model.spec(), batch));

    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    assertClose(actual, expected, model.spec().head().task().pooled() ? new int[0] : LENGTHS);
  }

  private Batch batch(ModelSpec spec) {
    Random random = new Random(1);
    boolean pair = !(spec instanceof EncoderSpec encoder) || encoder.architecture().hasSegments();
    List<int[]> ids = new ArrayList<>();
    List<int[]> types = new ArrayList<>();
    for (int length : LENGTHS) {
      ids.add(random.ints(length, 0, spec.vocabSize()).toArray());
      int[] rowTypes = new int[length];
      for (int i = pair ? length / 2 : length; i < length; i++) {
        rowTypes[i] = 1;
      }
      types.add(rowTypes);
    }
    return Batch.of(manager, ids, types);
  }

  private NDArray expected(ModelDirectory model, Batch batch) {
    Predictor predictor = ModelFactory.predictor(model.spec(), model.weights(manager));
    EncoderOutput output = predictor.forward(batch, Capture.NONE);
    if (output.logits() != null) {
      return output.logits();
    }
    return model.spec().head().task() == Task.MASKED_LM
        ? predictor.maskedLmLogits(output.last())
        : output.last();
  }

  private static NDList inputs(ModelSpec spec, Batch batch) {
    NDArray mask = batch.maskBL1().squeeze(-1).toType(DataType.INT64, false);
    NDList inputs = new NDList(batch.idsBL(), mask);
    if (spec instanceof BiLstmSpec || ((EncoderSpec) spec).architecture().hasSegments()) {
      inputs.add(batch.typesBL());
    }
    return inputs;
  }

  private NDArray actual(NDList inputs) throws IOException, ModelException, TranslateException {
    try (ZooModel<NDList, NDList> loaded = load();
        ai.djl.inference.Predictor<NDList, NDList> predictor = loaded.newPredictor()) {
      NDArray result = predictor.predict(inputs).singletonOrThrow();
      result.attach(manager);
      return result;
    }
  }

  private ZooModel<NDList, NDList> load() throws IOException, ModelException {
    return Criteria.builder()
        .setTypes(NDList.class, NDList.class)
        .optModelPath(directory)
        .build()
        .loadModel();
  }

  /** Compares rows up to their lengths, or all numbers if there are no lengths. */
  private static void assertClose(NDArray actual, NDArray expected, int[] lengths) {
    float[] ours = expected.toFloatArray();
    float[] theirs = actual.toFloatArray();
    int perRow = ours.length / LENGTHS.length;
    int perToken = perRow / 6;
    for (int i = 0; i < ours.length; i++) {
      int row = i / perRow;
      boolean padding = lengths.length > 0 && i % perRow / perToken >= lengths[row];
      if (!padding) {
        assertThat(theirs[i]).as(format("number %d", i)).isCloseTo(ours[i], within(1e-4f));
      }
    }
  }
}
