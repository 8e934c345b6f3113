package io.stillhouse.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.BiLstmGoldens;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A BiLSTM under its losses, PyTorch's AdamW, and the trainer. */
class BiLstmTrainingTest extends BiLstmGoldens {
  private static final double RATE = 1e-2;
  private static final int STEPS = 12;
  private static final Consumer<StepReport> NOBODY = report -> {};

  /** As in make_bilstm_goldens.py. */
  private static final DistillSpec LOSS =
      new DistillSpec(
          List.of(),
          new DistillSpec.SoftLabel(1, DistillSpec.Kind.MSE, 1, DistillSpec.Positions.ALL),
          0.5,
          DistillSpec.Hidden.NONE,
          0,
          DistillSpec.Relations.NONE);

  private final Map<String, DirectoryCheckpoints> stores = new HashMap<>();
  @TempDir private Path directory;

  @BeforeEach
  void enablesRecording() {
    Autograd.record(Autograd.Mode.OFF);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void lossesAndGradientsMatchNnLstm(String texts) throws IOException {
    Golden golden = golden(texts);
    Map<String, NDArray> weights = trained(texts);
    Predictor model = ModelFactory.predictor(spec(texts, 0), weights);
    DistillLoss loss = new DistillLoss(LOSS, model, Map.of());

    DistillLoss.Value value;
    TargetBatch targets = new TargetBatch(manager, rows(golden), TeacherParts.NONE);
    try (Trainable training = ModelFactory.trainable(model, Map.of(), Precision.FLOAT32, manager);
        Trainable.Pass pass = training.forward(targets.batch(), Capture.NONE, Dropout.NONE)) {
      value = loss.of(pass.output(), targets, Counts.of(rows(golden)));
      Autograd.backward(value.total());
      pass.backward();
    }

    assertThat(value.terms().get(Term.SOFT_LABEL))
        .isCloseTo(golden.read("soft").getFloat(), within(1e-5));
    assertThat(value.terms().get(Term.HARD_LABEL))
        .isCloseTo(golden.read("hard").getFloat(), within(1e-5));
    weights.forEach(
        (name, weight) ->
            assertThat(
                    Golden.relativeError(
                        Autograd.gradient(weight), golden.read("grad." + name), 1e-3))
                .as(name)
                .isLessThan(1e-4));
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void lossesOfTenStepsMatchPyTorch(String texts) throws IOException {
    String model = format("bilstm-tiny-%s-v1/", texts);
    JsonObject expected =
        JsonParser.parseString(Golden.text(model + "ten_losses.json")).getAsJsonObject();
    JsonArray losses = expected.getAsJsonArray("losses");
    JsonArray norms = expected.getAsJsonArray("gradient_norms");
    Map<String, NDArray> weights = trained(texts);
    // Micro-batches of one or two rows, whose gradients must add up to the full batch's.
    Trainer.Setup setup = new Trainer.Setup(spec(texts, 0), LOSS, train(14, 0, 42), "ten steps");
    try (Worker worker = new Worker(manager, setup, weights, TeacherParts.NONE)) {
      for (int step = 0; step < losses.size(); step++) {
        Worker.Outcome outcome = worker.step(rows(golden(texts)), step, step + 1, RATE);

        assertThat(outcome.loss()).isCloseTo(losses.get(step).getAsDouble(), within(1e-4));
        assertThat(outcome.gradientNorm() / norms.get(step).getAsDouble())
            .isCloseTo(1, within(1e-3));
      }
    }
    Golden after = new Golden(model + "after_ten.safetensors", manager);
    assertThat(after.names()).containsExactlyInAnyOrderElementsOf(weights.keySet());
    for (String name : after.names()) {
      assertThat(Golden.relativeError(weights.get(name), after.read(name), 1e-3))
          .as(name)
          .isLessThan(1e-4);
    }
  }

  @Test
  void onlySameSeedGivesSameBits() throws IOException {
    Map<String, float[]> first = train("a", 42, NOBODY);
    Map<String, float[]> second = train("b", 42, NOBODY);
    Map<String, float[]> other = train("c", 43, NOBODY);

    requireSameBits(second, first);
    assertThat(other.get("lstm.weight_ih_l0")).isNotEqualTo(first.get("lstm.weight_ih_l0"));
  }

  @Test
  void resumingGivesSameBits() throws IOException {
    Map<String, float[]> undisturbed = train("a", 42, NOBODY);
    Consumer<StepReport> stopsAtEight =
        report -> {
          if (report.step() == 8) {
            throw new IllegalStateException("the machine is gone");
          }
        };
    assertThatThrownBy(() -> train("b", 42, stopsAtEight)).hasMessage("the machine is gone");

    List<Long> steps = new ArrayList<>();
    Map<String, float[]> resumed = train("b", 42, report -> steps.add(report.step()));

    assertThat(steps).containsExactly(6L, 7L, 8L, 9L, 10L, 11L, 12L);
    requireSameBits(resumed, undisturbed);
  }

  @Test
  void everyWeightChangesAndLossFalls() throws IOException {
    List<StepReport> reports = new ArrayList<>();
    Map<String, float[]> after = train("a", 42, reports::add);

    assertThat(reports.get(STEPS - 1).loss()).isLessThan(0.7 * reports.get(0).loss());
    weights("pair")
        .forEach(
            (name, weight) ->
                assertThat(after.get(name)).as(name).isNotEqualTo(weight.toFloatArray()));
  }

  @Test
  void evaluatesValidationRow() throws IOException {
    List<Example> rows = rows(golden("pair"));
    Trainer.Setup setup = new Trainer.Setup(spec("pair", 0.1), LOSS, train(64, 0, 42), "held out");

    Validation.Measured measured =
        new Validation(setup, new MemorySource(List.of(rows.subList(0, 1), rows.subList(1, 4))))
            .measure(manager, weights("pair"), TeacherParts.NONE);

    assertThat(measured.terms().get(Term.SOFT_LABEL))
        .isCloseTo(golden("pair").read("soft").getFloat(), within(1e-5));
    assertThat(measured.metrics().get("accuracy")).isBetween(0.0, 1.0);
    assertThat(measured.metrics().get("agreement")).isBetween(0.0, 1.0);
  }

  /** Trains on pairs under dropout, with a checkpoint every five steps. */
  private Map<String, float[]> train(String name, long seed, Consumer<StepReport> listener)
      throws IOException {
    List<Example> rows = rows(golden("pair"));
    Trainer.Setup setup =
        new Trainer.Setup(spec("pair", 0.1), LOSS, train(14, STEPS, seed), "this recipe");
    DirectoryCheckpoints checkpoints =
        stores.computeIfAbsent(name, n -> new DirectoryCheckpoints(directory.resolve(n)));
    Files.createDirectories(directory.resolve(name));
    try (NDManager own = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = directory("pair").weights(own);
      new Trainer(setup, new MemorySource(List.of(rows, rows.subList(0, 3))), checkpoints, listener)
          .run(own, weights, TeacherParts.NONE);
      Map<String, float[]> values = new LinkedHashMap<>();
      weights.forEach((weight, array) -> values.put(weight, array.toFloatArray()));
      return values;
    }
  }

  private static void requireSameBits(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual).containsOnlyKeys(expected.keySet());
    expected.forEach(
        (name, values) -> assertThat(actual.get(name)).as(name).containsExactly(values));
  }

  private static TrainSpec train(int tokensPerBatch, int steps, long seed) {
    return new TrainSpec(
        40,
        new TrainSpec.Batching(4, tokensPerBatch, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(RATE, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(steps, seed, 1, 5, Precision.FLOAT32));
  }

  /** Returns the golden rows with the logits of their teacher. */
  private static List<Example> rows(Golden golden) {
    List<Example> rows = new ArrayList<>();
    List<Example> bare = golden.examples();
    for (int row = 0; row < bare.size(); row++) {
      float[] logits = golden.read("teacher_logits").get(row).toFloatArray();
      rows.add(
          new Example(
              bare.get(row).id(),
              bare.get(row).inputs(),
              Dtype.FLOAT32,
              Map.of(Targets.LOGITS.name(), GoldenTargets.bytes(logits))));
    }
    return rows;
  }
}
