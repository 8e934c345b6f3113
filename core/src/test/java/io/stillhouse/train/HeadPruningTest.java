package io.stillhouse.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.Teachers;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tiny models with four heads of size eight, some of which are pruned. */
class HeadPruningTest {
  private static final PrunedHeads PRUNED =
      new PrunedHeads(List.of(List.of(1, 3), List.of(), List.of(2, 3, 4)));
  private static final PrunedHeads PRUNED_OF_ALL = new PrunedHeads(List.of(List.of(1, 3)));
  private static final double MAX_GRAD_NORM = 0.1;
  private static final List<String> MAKERS = List.of("query", "key", "value");

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"bert-tiny-cls-v1", "distilbert-tiny-cls-v1", "albert-tiny-cls-v1"})
  void prunedHeadsStayZeroAndModelComputesWithoutThem(String model) throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory source = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
      EncoderSpec spec = withDropout(source.spec());
      PrunedHeads pruned = spec.distinctBlocks() == 1 ? PRUNED_OF_ALL : PRUNED;
      List<Example> rows = new Golden(model + "/golden.safetensors", manager).examples();
      Map<String, NDArray> before = source.weights(manager);
      Map<String, NDArray> weights = new HashMap<>();
      before.forEach((name, weight) -> weights.put(name, weight.duplicate()));
      HeadPruning.zeroWeights(spec, pruned, weights);

      List<Double> norms = new ArrayList<>();
      new Trainer(
              new Trainer.Setup(spec, hardLabels(), Teachers.SINGLE, tenSteps(), pruned, "pruned"),
              new MemorySource(List.of(rows)),
              new DirectoryCheckpoints(directory),
              report -> norms.add(report.optimizer().gradientNorm()))
          .run(manager, weights, TeacherParts.NONE);

      assertThat(norms)
          .hasSize(10)
          .allSatisfy(norm -> assertThat(norm).isGreaterThan(MAX_GRAD_NORM));
      Map<String, NDArray> whole = new HashMap<>();
      weights.forEach((name, weight) -> whole.put(name, weight.duplicate()));
      for (int block = 1; block <= spec.distinctBlocks(); block++) {
        String attention = spec.prefixOf(block) + "attention.";
        for (int head = 1; head <= spec.heads(); head++) {
          boolean gone =
              block <= pruned.blocks().size() && pruned.blocks().get(block - 1).contains(head);
          for (NDArray part : parts(weights, attention, head, spec.headSize())) {
            assertThat(Golden.norm(part) == 0).as("%s head %d", attention, head).isEqualTo(gone);
          }
          if (gone) {
            restore(whole, before, attention, head, spec.headSize());
          }
        }
      }
      try (NDManager scope = manager.newSubManager()) {
        TargetBatch batch = new TargetBatch(scope, rows, TeacherParts.NONE);
        NDArray logits = new Encoder(spec, weights).forward(batch.batch(), Capture.NONE).logits();
        NDArray expected =
            new Encoder(spec, whole)
                .forward(
                    batch.batch(),
                    Capture.NONE,
                    Dropout.NONE,
                    factors(scope, spec, pruned, rows.size()))
                .logits();
        NDArray withAll = new Encoder(spec, whole).forward(batch.batch(), Capture.NONE).logits();
        assertThat(Golden.relativeError(logits, expected, 0)).isLessThan(1e-6);
        assertThat(Golden.relativeError(withAll, expected, 0)).isGreaterThan(1e-2);
      }
    }
  }

  @Test
  void stepKeepsPrunedHeadsAtZeroForAnyGradients() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory source =
          HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
      EncoderSpec spec = source.spec();
      Map<String, NDArray> weights = source.weights(manager);
      HeadPruning.zeroWeights(spec, PRUNED, weights);
      weights.values().forEach(weight -> weight.setRequiresGradient(true));
      Autograd.record(Autograd.Mode.ON);
      for (NDArray weight : weights.values()) {
        Autograd.backward(weight.sum()); // gradients of 1
      }
      Autograd.record(Autograd.Mode.OFF);

      HeadPruning.zeroGradients(spec, PRUNED, weights);
      try (AdamW adamW = new AdamW(manager, weights, tenSteps().optimizer())) {
        double norm = adamW.step(1, 1e-3);

        // Each pruned head has three kernels, three biases and columns of the output projection.
        long gone = 5 * (4 * 8 * 32 + 3 * 8);
        assertThat(norm * norm / (spec.parameterCount() - gone)).isBetween(1 - 1e-5, 1 + 1e-5);
      }
      String attention = EncoderSpec.blockPrefix(1) + "attention.";
      parts(weights, attention, 3, 8).forEach(part -> assertThat(Golden.norm(part)).isZero());
      parts(weights, attention, 2, 8).forEach(part -> assertThat(Golden.norm(part)).isPositive());
    }
  }

  /** Returns the weights that compute and read a head. */
  private static List<NDArray> parts(
      Map<String, NDArray> weights, String attention, int head, int size) {
    String rows = rows(head, size);
    List<NDArray> parts = new ArrayList<>();
    for (String maker : MAKERS) {
      parts.add(weights.get(attention + "self." + maker + ".weight").get(rows));
      parts.add(weights.get(attention + "self." + maker + ".bias").get(rows));
    }
    parts.add(weights.get(attention + "output.dense.weight").get(":, " + rows));
    return parts;
  }

  /** Restores the original weights of a head. */
  private static void restore(
      Map<String, NDArray> to, Map<String, NDArray> from, String attention, int head, int size) {
    String rows = rows(head, size);
    for (String maker : MAKERS) {
      for (String kind : List.of(".weight", ".bias")) {
        String name = attention + "self." + maker + kind;
        to.get(name).set(new NDIndex(rows), from.get(name).get(rows));
      }
    }
    String output = attention + "output.dense.weight";
    to.get(output).set(new NDIndex(":, " + rows), from.get(output).get(":, " + rows));
  }

  private static String rows(int head, int size) {
    return format("%d:%d", (head - 1) * size, head * size);
  }

  private static List<NDArray> factors(
      NDManager manager, EncoderSpec spec, PrunedHeads pruned, int rows) {
    List<NDArray> factors = new ArrayList<>();
    for (int block = 0; block < spec.layers(); block++) {
      NDArray factor = manager.ones(new Shape(rows, spec.heads()));
      for (int head : pruned.blocks().get(spec.distinctBlocks() == 1 ? 0 : block)) {
        factor.set(new NDIndex(":, " + (head - 1)), 0f);
      }
      factors.add(factor);
    }
    return factors;
  }

  private static TrainSpec tenSteps() {
    return new TrainSpec(
        10,
        new TrainSpec.Batching(4, 4096, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(1e-3, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.1, MAX_GRAD_NORM),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(10, 1, 1, 0, Precision.FLOAT32));
  }

  private static EncoderSpec withDropout(EncoderSpec spec) {
    return new EncoderSpec(
        spec.architecture(),
        spec.embeddingSize(),
        spec.embeddings(),
        spec.blocks(),
        new EncoderSpec.Numerics(spec.numerics().layerNormEps(), 0.1, 0.1, 0.1),
        spec.head());
  }

  private static DistillSpec hardLabels() {
    return new DistillSpec(
        List.of(0, 1, 2, 3),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        1,
        DistillSpec.Hidden.NONE,
        0,
        DistillSpec.Relations.NONE);
  }
}
