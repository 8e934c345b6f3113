package io.stillhouse.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThatCode;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Trainable;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Compares with autograd's gradients of {@link Encoder}. */
class TrainingEncoderTest {
  /** Three blocks forward and backward, each product's factors and result rounded to 8 bits. */
  private static final double BFLOAT16 = 0.03;

  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void gradientsMatchAutograd() throws IOException {
    Capture capture =
        new Capture(
            Set.of(0, 1, 3),
            Set.of(1, 2),
            Set.of(),
            Map.of(
                2,
                List.of(AttentionPart.KEY),
                3,
                List.of(AttentionPart.QUERY, AttentionPart.KEY, AttentionPart.VALUE)));
    for (String model :
        List.of(
            "bert-tiny-cls-v1",
            "bert-tiny-mlm-v1",
            "distilbert-tiny-cls-v1",
            "distilbert-tiny-mlm-v1",
            "albert-tiny-cls-v1",
            "albert-tiny-mlm-v1",
            "albert-gelu_new-mlm-v1",
            "bert-relu-mlm-v1",
            "bert-gelu_pytorch_tanh-cls-v1",
            "distilbert-relu-cls-v1")) {
      // Masks have the shapes of what they multiply, so with dropout the passes are comparable only
      // without padding.
      requireSameGradients(model, capture, new int[] {7, 7, 7}, 0.2, Set.of());
      requireSameGradients(model, capture, new int[] {3, 9, 5, 5}, 0, Set.of());
      requireSameGradients(model, capture, new int[] {3, 9, 5, 5}, 0, Set.of(0, 1, 3));
    }
  }

  @Test
  void bfloat16GradientsAreCloseAndReproducible() throws IOException {
    assumeThatCode(() -> Precision.BFLOAT16.requireProcessor("train.precision"))
        .doesNotThrowAnyException();

    Map<String, float[]> exact = gradients(Precision.FLOAT32);
    Map<String, float[]> rounded = gradients(Precision.BFLOAT16);

    Map<String, Double> errors = new HashMap<>();
    exact.forEach(
        (name, gradient) -> {
          NDArray right = manager.create(gradient);
          NDArray ours = manager.create(rounded.get(name));
          errors.put(name, Golden.relativeError(ours, right, 1e-3));
        });
    assertThat(errors.values()).hasSizeGreaterThan(40).allMatch(error -> error < BFLOAT16);
    assertThat(errors.get("bert.encoder.layer.0.output.dense.weight"))
        .as("float32 would be closer")
        .isGreaterThan(1e-4);
    gradients(Precision.BFLOAT16)
        .forEach((name, again) -> assertThat(again).as(name).isEqualTo(rounded.get(name)));
  }

  /** Returns all gradients of a pass over rows of several lengths. */
  private Map<String, float[]> gradients(Precision precision) throws IOException {
    Map<String, NDArray> weights = weights("bert-tiny-cls-v1");
    Encoder encoder = new Encoder(spec("bert-tiny-cls-v1", 0), weights);
    Capture capture = new Capture(Set.of(1, 3), Set.of(2), Set.of(), Map.of());
    Batch batch = batch(new int[] {3, 9, 5, 5});
    Map<String, float[]> gradients = new HashMap<>();
    try (TrainingEncoder training = new TrainingEncoder(encoder, Map.of(), precision, manager);
        Trainable.Pass pass = training.forward(batch, capture, Dropout.NONE)) {
      Autograd.backward(loss(encoder, pass.output(), batch));
      pass.backward();
      weights.forEach(
          (name, weight) -> {
            NDArray gradient = Autograd.gradient(weight);
            if (gradient != null) {
              gradients.put(name, gradient.toFloatArray());
            }
          });
    }
    return gradients;
  }

  @Test
  void unusedWeightsHaveNoGradient() throws IOException {
    Map<String, NDArray> weights = weights("bert-tiny-mlm-v1");
    Encoder encoder = new Encoder(spec("bert-tiny-mlm-v1", 0), weights);
    try (TrainingEncoder training =
            new TrainingEncoder(encoder, Map.of(), Precision.FLOAT32, manager);
        Trainable.Pass pass =
            training.forward(
                batch(new int[] {4, 6}), Capture.of(List.of(1), List.of()), Dropout.NONE)) {
      Autograd.backward(pass.output().hidden(1).square().sum());
      pass.backward();
    }

    weights.forEach(
        (name, weight) ->
            assertThat(Autograd.gradient(weight) == null)
                .as(name)
                .isEqualTo(
                    name.startsWith("cls.")
                        || name.startsWith(EncoderSpec.blockPrefix(2))
                        || name.startsWith(EncoderSpec.blockPrefix(3))));
  }

  @Test
  void queriesKeysAndValuesMatchReference() throws IOException {
    Encoder encoder = new Encoder(spec("bert-tiny-mlm-v1", 0), weights("bert-tiny-mlm-v1"));
    List<AttentionPart> all = List.of(AttentionPart.values());
    Capture capture = new Capture(Set.of(), Set.of(), Set.of(), Map.of(1, all, 3, all));
    Batch batch = batch(new int[] {3, 9, 5, 5});
    NDArray mask = batch.maskBL1();
    EncoderOutput recorded = encoder.forward(batch, capture, Dropout.NONE);
    try (TrainingEncoder training =
            new TrainingEncoder(encoder, Map.of(), Precision.FLOAT32, manager);
        Trainable.Pass pass = training.forward(batch, capture, Dropout.NONE)) {
      for (int block : List.of(1, 3)) {
        for (AttentionPart part : all) {
          NDArray ours = pass.output().vectors(block, part);
          NDArray theirs = recorded.vectors(block, part);
          assertThat(Golden.relativeError(ours.mul(mask), theirs.mul(mask), 0))
              .as("%s of block %d", part, block)
              .isLessThan(1e-5);
        }
      }
    }
  }

  @Test
  void sharedBlockUsesUpdatedWeights() throws IOException {
    Map<String, NDArray> weights = weights("albert-tiny-cls-v1");
    EncoderSpec spec = spec("albert-tiny-cls-v1", 0);
    String name = spec.prefixOf(3) + "attention.self.query.weight";
    try (TrainingEncoder training =
        new TrainingEncoder(new Encoder(spec, weights), Map.of(), Precision.FLOAT32, manager)) {
      double before = norm(training, weights, name);
      double twice = norm(training, weights, name);
      assertThat(twice / before).isBetween(1.99999, 2.00001);
      try (NDArray other = weights.get(name).add(0.5f)) {
        other.copyTo(weights.get(name));
      }
      training.refresh();
      Batch batch = batch(new int[] {4, 6});
      try (Trainable.Pass pass = training.forward(batch, Capture.NONE, Dropout.NONE)) {
        NDArray plain =
            new Encoder(spec, weights).forward(batch, Capture.NONE, Dropout.NONE).logits();
        assertThat(Golden.relativeError(pass.output().logits(), plain, 0)).isLessThan(1e-5);
      }
    }
  }

  @Test
  void gradientsOfSharedProjectionAddUp() throws IOException {
    Encoder encoder = new Encoder(spec("bert-tiny-mlm-v1", 0), weights("bert-tiny-mlm-v1"));
    Batch batch = batch(new int[] {3, 9});
    NDArray shared = random(manager.zeros(new Shape(48, 32)), 1);
    shared.setRequiresGradient(true);
    Map<Integer, NDArray> own = new TreeMap<>();
    for (int layer = 0; layer <= 3; layer++) {
      own.put(layer, shared.duplicate());
      own.get(layer).setRequiresGradient(true);
    }
    projectionPass(encoder, own, batch);
    NDArray sum = manager.zeros(new Shape(48, 32));
    for (NDArray projection : own.values()) {
      sum = sum.add(Autograd.gradient(projection));
    }

    projectionPass(encoder, Map.of(0, shared, 1, shared, 2, shared, 3, shared), batch);

    assertThat(Golden.relativeError(Autograd.gradient(shared), sum, 0)).isLessThan(1e-6);
  }

  private void projectionPass(Encoder encoder, Map<Integer, NDArray> projections, Batch batch) {
    Capture capture = Capture.of(projections.keySet(), List.of());
    try (TrainingEncoder training =
            new TrainingEncoder(encoder, projections, Precision.FLOAT32, manager);
        Trainable.Pass pass = training.forward(batch, capture, Dropout.NONE)) {
      NDArray total = manager.zeros(new Shape());
      for (int layer = 0; layer <= 3; layer++) {
        total = total.add(pass.output().hidden(layer).square().sum());
      }
      Autograd.backward(total);
      pass.backward();
    }
  }

  @Test
  void gradientsOfSeveralPassesAddUpAndRefreshReadsNewWeights() throws IOException {
    Map<String, NDArray> weights = weights("bert-tiny-cls-v1");
    Encoder encoder = new Encoder(spec("bert-tiny-cls-v1", 0), weights);
    try (TrainingEncoder training =
        new TrainingEncoder(encoder, Map.of(), Precision.FLOAT32, manager)) {
      String name = EncoderSpec.blockPrefix(1) + "attention.self.query.weight";
      double once = norm(training, weights, name);
      double twice = norm(training, weights, name);
      assertThat(twice / once).isBetween(1.99999, 2.00001);

      try (NDArray other = weights.get(name).add(0.5f)) {
        other.copyTo(weights.get(name));
      }
      double stale = norm(training, weights, name) - twice;
      training.refresh();
      double fresh = norm(training, weights, name) - twice - stale;
      assertThat(Math.abs(fresh / stale - 1)).isGreaterThan(1e-3);
    }
  }

  private double norm(TrainingEncoder training, Map<String, NDArray> weights, String name) {
    try (Trainable.Pass pass =
        training.forward(batch(new int[] {4, 6}), Capture.NONE, Dropout.NONE)) {
      Autograd.backward(pass.output().logits().square().sum());
      pass.backward();
    }
    return Autograd.gradient(weights.get(name)).norm().getFloat();
  }

  private void requireSameGradients(
      String model, Capture capture, int[] lengths, double dropout, Set<Integer> projected)
      throws IOException {
    Map<String, NDArray> expected = weights(model);
    Map<String, NDArray> actual = weights(model);
    EncoderSpec spec = spec(model, dropout);
    Batch batch = batch(lengths);
    Map<Integer, NDArray> projections = projections(expected, projected, spec.hiddenSize());
    Autograd.record(Autograd.Mode.ON);
    Encoder plain = new Encoder(spec, expected);
    EncoderOutput output = plain.forward(batch, capture, Dropout.of(5));
    Autograd.backward(loss(plain, projected(output, projections), batch));
    Autograd.record(Autograd.Mode.OFF);
    Encoder encoder = new Encoder(spec, actual);
    try (TrainingEncoder training =
            new TrainingEncoder(
                encoder,
                projections(actual, projected, spec.hiddenSize()),
                Precision.FLOAT32,
                manager);
        Trainable.Pass pass = training.forward(batch, capture, Dropout.of(5))) {
      Autograd.backward(loss(encoder, pass.output(), batch));
      pass.backward();

      expected.forEach(
          (name, weight) -> {
            NDArray right = Autograd.gradient(weight);
            NDArray ours = Autograd.gradient(actual.get(name));
            if (right == null) {
              assertThat(ours).as(name).isNull();
              return;
            }
            assertThat(ours).as(name).isNotNull();
            assertThat(Golden.relativeError(ours, right, 1)).as(name).isLessThan(1e-5);
          });
    }
  }

  /** Adds projections to the weights, one wider than the other, and returns them. */
  private Map<Integer, NDArray> projections(
      Map<String, NDArray> weights, Set<Integer> layers, int width) {
    Map<Integer, NDArray> projections = new HashMap<>();
    for (int layer : layers) {
      NDArray weight = random(manager.zeros(new Shape(width + layer, width)), layer).div(width);
      weight.setRequiresGradient(true);
      weights.put("projection " + layer, weight);
      projections.put(layer, weight);
    }
    return projections;
  }

  private static EncoderOutput projected(EncoderOutput output, Map<Integer, NDArray> projections) {
    Map<Integer, NDArray> hidden = new TreeMap<>(output.hidden());
    projections.forEach(
        (layer, weight) ->
            hidden.computeIfPresent(layer, (l, state) -> state.matMul(weight.transpose())));
    return new EncoderOutput(
        output.last(),
        hidden,
        output.scores(),
        output.valueRelations(),
        output.vectors(),
        output.logits());
  }

  /**
   * Returns a loss on all outputs of a pass, with a random weight for each number, 0 at padding.
   */
  private NDArray loss(Encoder encoder, EncoderOutput output, Batch batch) {
    List<NDArray> parts = new ArrayList<>();
    output.hidden().values().forEach(state -> parts.add(real(state, batch)));
    parts.add(real(output.last(), batch));
    parts.add(
        output.logits() == null
            ? encoder.maskedLmLogits(real(output.last(), batch))
            : output.logits());
    NDArray mask = batch.maskBL1();
    NDArray total = manager.zeros(new Shape());
    int seed = 1;
    for (NDArray part : parts) {
      total = total.add(part.mul(random(part, seed++)).sum());
    }
    long rows = batch.rows();
    long length = batch.longest();
    NDArray pairs = mask.reshape(rows, 1, length, 1).mul(mask.reshape(rows, 1, 1, length));
    for (NDArray scores : output.scores().values()) {
      total = total.add(scores.mul(pairs).mul(random(scores, seed++)).sum());
    }
    for (Map<AttentionPart, NDArray> own : output.vectors().values()) {
      for (NDArray vectorsBLD : own.values()) {
        total = total.add(vectorsBLD.square().mul(mask).mul(random(vectorsBLD, seed++)).sum());
      }
    }
    return total;
  }

  private NDArray real(NDArray state, Batch batch) {
    NDArray flat = state.reshape(-1, state.getShape().get(2));
    boolean packed = flat.getShape().get(0) == batch.tokens();
    return packed ? flat : flat.get(manager.create(batch.realTokens()));
  }

  private NDArray random(NDArray like, int seed) {
    Random random = new Random(seed);
    float[] values = new float[(int) like.getShape().size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    try (NDArray inJava = manager.create(values, like.getShape())) {
      return inJava.duplicate();
    }
  }

  private Batch batch(int[] lengths) {
    Random random = new Random(3);
    List<int[]> ids = new ArrayList<>();
    List<int[]> types = new ArrayList<>();
    for (int length : lengths) {
      ids.add(random.ints(length, 5, 110).toArray());
      types.add(random.ints(length, 0, 2).toArray());
    }
    return Batch.of(manager, ids, types);
  }

  private static EncoderSpec spec(String model, double dropout) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model)).spec();
    return new EncoderSpec(
        spec.architecture(),
        spec.embeddingSize(),
        spec.embeddings(),
        spec.blocks(),
        new EncoderSpec.Numerics(1e-12, dropout, dropout, dropout),
        spec.head());
  }

  private Map<String, NDArray> weights(String model) throws IOException {
    Map<String, NDArray> weights =
        new HashMap<>(HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model)).weights(manager));
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    return weights;
  }
}
