package io.stillhouse.export.torchscript;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.inference.Predictor;
import ai.djl.modality.Classifications;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.DeferredTranslatorFactory;
import ai.djl.util.StringPair;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs texts through DJL's translators, as a service that has only the directory does. */
class ServingPropertiesTest {
  private static final String SHORT = "a b c";
  private static final String OTHER = "d e f g";

  /** Longer than any of the models can read. */
  private static final String LONG = "d e f ".repeat(400);

  private final NDManager manager = NDManager.newBaseManager();
  @TempDir private Path parent;
  private Path directory;

  @BeforeEach
  void name() {
    directory = parent.resolve("served");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-cls-v1", "distilbert-tiny-cls-v1", "albert-tiny-cls-v1"})
  void classifiesTexts(String name) throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve(name));
    List<String> labels = model.spec().head().labels();
    export(model);

    List<Classifications> results = predict(Classifications.class, List.of(SHORT, LONG));

    for (int text = 0; text < 2; text++) {
      float[] expected = logits(model, text == 0 ? SHORT : LONG).softmax(-1).toFloatArray();
      for (int label = 0; label < labels.size(); label++) {
        assertThat(results.get(text).get(labels.get(label)).getProbability())
            .as(format("text %d, %s", text, labels.get(label)))
            .isCloseTo(expected[label], within(1e-4));
      }
    }
  }

  @Test
  void givesEachLabelItsOwnProbability() throws Exception {
    Head head = new Head(Task.MULTI_LABEL, List.of("funny", "short", "sad"));
    ModelDirectory model = tiny(head);
    export(model);

    Classifications result = predict(Classifications.class, List.of("the play")).get(0);

    float[] logits = logits(model, "the play").toFloatArray();
    for (int label = 0; label < logits.length; label++) {
      assertThat(result.get(head.labels().get(label)).getProbability())
          .isCloseTo(1 / (1 + Math.exp(-logits[label])), within(1e-4));
    }
  }

  @Test
  void returnsScoreOfRegressionUnchanged() throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-reg-v1"));
    export(model);

    List<float[]> scores = predict(float[].class, List.of(SHORT, OTHER));

    assertThat(scores.get(0)).hasSize(1);
    assertThat(scores.get(0)[0])
        .isCloseTo(logits(model, SHORT).toFloatArray()[0], within(1e-4f))
        .isNotCloseTo(scores.get(1)[0], within(1e-3f));
    assertThat(scores.get(1)[0]).isCloseTo(logits(model, OTHER).toFloatArray()[0], within(1e-4f));
  }

  @Test
  void averagesHiddenStatesWithoutHead() throws Exception {
    ModelDirectory model = tiny(Head.NONE);
    export(model);

    float[] vector = predict(float[].class, List.of("the play", "ok the play")).get(0);

    NDArray mean = output(model, "the play", "").last().mean(new int[] {1}).normalize(2, -1);
    assertThat(vector).containsExactly(mean.toFloatArray(), within(1e-4f));
  }

  @Test
  void fillsMask() throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    export(model);
    String text = "a [MASK] b";

    Classifications result = predict(Classifications.class, List.of(text)).get(0);

    NDArray last = output(model, text, "").last();
    NDArray logitsNV =
        ModelFactory.predictor(model.spec(), model.weights(manager)).maskedLmLogits(last.get(0));
    float[] expected = logitsNV.get(2).softmax(-1).toFloatArray();
    try (Tokenizer tokenizer = Tokenizer.open(directory)) {
      int likeliest = (int) logitsNV.get(2).argMax().getLong();
      assertThat(result.best().getClassName()).isEqualTo(tokenizer.token(likeliest));
      assertThat(result.best().getProbability()).isCloseTo(expected[likeliest], within(1e-4));
    }
  }

  @Test
  void readsPairsIfTextsAreComparedByBiLstm() throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve("bilstm-tiny-pair-v1"));
    export(model);

    assertReadsPairs(model, Map.of());
  }

  @Test
  void readsPairsIfServiceAsksForThem() throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
    export(model);

    assertReadsPairs(model, Map.of("reranking", "true", "sigmoid", "false"));
  }

  @Test
  void limitsTextsToPositionsOfModel() throws Exception {
    ModelDirectory model = ModelDirectory.open(Golden.DIRECTORY.resolve("albert-tiny-mlm-v1"));
    export(model);

    assertThat(Files.readAllLines(directory.resolve("serving.properties")))
        .containsExactly(
            "engine=PyTorch",
            "includeTokenTypes=true",
            "maskToken=[MASK]",
            "maxLength=" + model.spec().maxTokens(),
            "modelMaxLength=" + model.spec().maxTokens(),
            "padding=true",
            "topK=1",
            "translatorFactory=ai.djl.huggingface.translator.FillMaskTranslatorFactory",
            "truncation=true");
  }

  private void assertReadsPairs(ModelDirectory model, Map<String, Object> arguments)
      throws Exception {
    List<StringPair> pairs = List.of(new StringPair(SHORT, OTHER), new StringPair(OTHER, LONG));
    List<float[]> results;
    try (ZooModel<StringPair, float[]> loaded =
            criteria(StringPair.class, float[].class).optArguments(arguments).build().loadModel();
        Predictor<StringPair, float[]> predictor = loaded.newPredictor()) {
      results = predictor.batchPredict(pairs);
    }

    for (int i = 0; i < pairs.size(); i++) {
      NDArray logits = output(model, pairs.get(i).getKey(), pairs.get(i).getValue()).logits();
      assertThat(results.get(i)).containsExactly(logits.toFloatArray(), within(1e-4f));
    }
  }

  private ModelDirectory tiny(Head head) throws Exception {
    return ModelDirectory.open(
        TinyModel.write(parent.resolve("tiny"), TinyModel.spec(Architecture.BERT, head)));
  }

  private void export(ModelDirectory model) throws Exception {
    model.copyTo(directory);
    TorchScriptExport.write(model, directory);
  }

  private <I, O> Criteria.Builder<I, O> criteria(Class<I> input, Class<O> output) {
    return Criteria.builder()
        .setTypes(input, output)
        .optModelPath(directory)
        .optTranslatorFactory(new DeferredTranslatorFactory());
  }

  private <T> List<T> predict(Class<T> type, List<String> texts) throws Exception {
    try (ZooModel<String, T> model = criteria(String.class, type).build().loadModel();
        Predictor<String, T> predictor = model.newPredictor()) {
      return predictor.batchPredict(texts);
    }
  }

  private NDArray logits(ModelDirectory model, String text) throws Exception {
    return output(model, text, "").logits();
  }

  /** Computes a text, or a pair of texts if the second is not empty. */
  private EncoderOutput output(ModelDirectory model, String first, String second) throws Exception {
    try (Tokenizer tokenizer = Tokenizer.open(directory)) {
      Pairing pairing = new Pairing(tokenizer.clsId(), tokenizer.sepId(), model.spec().maxTokens());
      int[] a = tokenizer.encode(List.of(first)).get(0).ids();
      Pairing.Input input =
          second.isEmpty()
              ? pairing.single(a)
              : pairing.pair(a, tokenizer.encode(List.of(second)).get(0).ids());
      Batch batch = Batch.of(manager, List.of(input.ids()), List.of(input.tokenTypes()));
      return ModelFactory.predictor(model.spec(), model.weights(manager))
          .forward(batch, Capture.NONE);
    }
  }
}
