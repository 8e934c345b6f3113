package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.model.encoder.TrainingEncoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.Blocks;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Compares losses on relations and first tokens of a narrower student, and all gradients, with
 * PyTorch's, by the reference pass and by the training pass.
 */
class RelationGoldenTest {
  private static final EncoderSpec.Blocks BLOCKS = new EncoderSpec.Blocks(2, 16, 4, 24);

  /** Gradients add up rounding over the batch. */
  private static final double GRADIENT = 1e-4;

  /** Gradients with a smaller share of the largest gradient's norm are only rounding. */
  private static final double FLOOR = 1e-3;

  private NDManager manager;
  private Golden golden;
  private JsonObject values;
  private List<Example> rows;
  private TeacherParts teacher;
  private EncoderSpec student;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
    golden = new Golden("relations.safetensors", manager);
    values = JsonParser.parseString(Golden.text("relations.json")).getAsJsonObject();
    rows = GoldenTargets.of(new Golden("bert-tiny-mlm-v1/golden.safetensors", manager));
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    teacher =
        new TeacherParts(
            new Encoder(directory.spec(), directory.weights(manager)), MlmTargets.NONE);
    student =
        new EncoderSpec(
            directory.spec().embeddings(), BLOCKS, directory.spec().numerics(), Head.NONE);
  }

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  @Test
  void relationsOfLastBlock() {
    check(
        "last",
        relations(2, 3, 5, 7, 8, Blocks.LAST),
        Map.of(
            Term.ATTENTION_KL, "attention",
            Term.QUERY_RELATION, "query",
            Term.KEY_RELATION, "key",
            Term.VALUE_RELATION, "value"));
  }

  @Test
  void relationsOfAllBlocks() {
    check("all", relations(2, 3, 5, 7, 8, Blocks.ALL), Map.of());
  }

  @Test
  void attentionAndValueRelationsOfMiniLm() {
    check(
        "minilm",
        relations(2, 0, 0, 3, 4, Blocks.LAST),
        Map.of(Term.ATTENTION_KL, "attention", Term.VALUE_RELATION, "own-heads value"));
  }

  @Test
  void statesThroughSharedProjections() {
    DistillSpec.Hidden hidden =
        new DistillSpec.Hidden(
            0, DistillSpec.CosineLayers.LAST, 3, 5, 2, DistillSpec.Projection.SHARED);
    check(
        "states",
        spec(hidden, DistillSpec.Relations.NONE),
        Map.of(
            Term.FIRST_TOKEN_MSE, "first-token",
            Term.HIDDEN_MSE, "hidden",
            Term.EMBEDDING_MSE, "embedding"));
  }

  private void check(String mix, DistillSpec spec, Map<Term, String> terms) {
    Map<String, NDArray> recorded = weights();
    Autograd.record(Autograd.Mode.ON);
    Encoder encoder = new Encoder(student, recorded);
    TargetBatch targets = new TargetBatch(manager, rows, teacher);
    DistillLoss.Value value =
        new DistillLoss(spec, encoder, recorded)
            .of(
                encoder.forward(targets.batch(), Capture.of(spec), Dropout.NONE),
                targets,
                Counts.of(rows));
    Autograd.backward(value.total());
    Autograd.record(Autograd.Mode.OFF);
    require(mix, value, terms, recorded);

    Map<String, NDArray> trained = weights();
    Encoder other = new Encoder(student, trained);
    Map<Integer, NDArray> projections = new TreeMap<>();
    spec.studentHidden()
        .forEach(layer -> projections.put(layer, trained.get(spec.projection(layer))));
    try (TrainingEncoder training =
            new TrainingEncoder(other, projections, Precision.FLOAT32, manager);
        Trainable.Pass pass = training.forward(targets.batch(), Capture.of(spec), Dropout.NONE)) {
      value = new DistillLoss(spec, other, Map.of()).of(pass.output(), targets, Counts.of(rows));
      Autograd.backward(value.total());
      pass.backward();
    }
    require(mix, value, terms, trained);
  }

  private void require(
      String mix, DistillLoss.Value value, Map<Term, String> terms, Map<String, NDArray> weights) {
    requireValue(value.total().getFloat(), "mix." + mix);
    terms.forEach((term, name) -> requireValue(value.terms().get(term), name));
    String prefix = "grad." + mix + ".";
    Set<String> expected = new TreeSet<>(golden.names());
    expected.removeIf(name -> !name.startsWith(prefix));
    double largest = expected.stream().mapToDouble(this::norm).max().orElseThrow();
    assertThat(largest).isGreaterThan(1e-2);
    for (String name : expected) {
      String weight = name.substring(prefix.length());
      NDArray gradient = Autograd.gradient(weights.get(weight));
      assertThat(gradient).as(weight).isNotNull();
      assertThat(Golden.relativeError(gradient, golden.read(name), FLOOR * largest))
          .as(weight)
          .isLessThan(GRADIENT);
    }
    weights.forEach(
        (name, weight) -> {
          NDArray gradient = Autograd.gradient(weight);
          assertThat(gradient != null).as(name).isEqualTo(expected.contains(prefix + name));
        });
  }

  private double norm(String name) {
    return Golden.norm(golden.read(name));
  }

  private void requireValue(double actual, String name) {
    double expected = values.get(name).getAsDouble();
    assertThat(actual).as(name).isCloseTo(expected, within(3e-6 * expected));
  }

  private Map<String, NDArray> weights() {
    Map<String, NDArray> weights = new TreeMap<>();
    for (String name : golden.names()) {
      if (!name.startsWith("grad.")) {
        weights.put(name, golden.read(name));
        weights.get(name).setRequiresGradient(true);
      }
    }
    return weights;
  }

  private static DistillSpec relations(
      double attention, double query, double key, double value, int heads, Blocks blocks) {
    return spec(
        DistillSpec.Hidden.NONE,
        new DistillSpec.Relations(attention, query, key, value, heads, blocks));
  }

  private static DistillSpec spec(DistillSpec.Hidden hidden, DistillSpec.Relations relations) {
    return new DistillSpec(
        List.of(0, 1, 3),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        0,
        hidden,
        0,
        relations);
  }
}
