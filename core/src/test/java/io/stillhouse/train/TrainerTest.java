package io.stillhouse.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.loss.Term;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Narrow students of the tiny golden masked LM, under dropout. */
class TrainerTest {
  private static final int WIDTH = 16;
  private static final int STEPS = 12;
  private static final Consumer<StepReport> NOBODY = report -> {};

  @TempDir private Path directory;
  private HuggingFaceDirectory teacher;
  private List<Example> rows;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    teacher = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    try (NDManager manager = NDManager.newBaseManager()) {
      rows = GoldenTargets.of(new Golden("bert-tiny-mlm-v1/golden.safetensors", manager));
    }
  }

  @Test
  void sameSeedGivesSameBits() throws IOException {
    Map<String, float[]> first = train(setup(train(STEPS, 42)), "a", NOBODY, rows);
    Map<String, float[]> second = train(setup(train(STEPS, 42)), "b", NOBODY, rows);

    requireSameBits(second, first);
  }

  @Test
  void differentSeedGivesDifferentWeights() throws IOException {
    Map<String, float[]> first = train(setup(train(STEPS, 42)), "a", NOBODY, rows);
    Map<String, float[]> second = train(setup(train(STEPS, 43)), "b", NOBODY, rows);

    String name = EncoderSpec.blockPrefix(1) + "output.dense.weight";
    assertThat(second.get(name)).isNotEqualTo(first.get(name));
  }

  @Test
  void dropoutChangesWeights() throws IOException {
    EncoderSpec with = student();
    EncoderSpec without =
        new EncoderSpec(
            with.embeddings(),
            with.blocks(),
            new EncoderSpec.Numerics(1e-12, 0, 0, 0),
            with.head());
    String name = EncoderSpec.blockPrefix(1) + "output.dense.weight";
    TrainSpec train = train(2, 42);

    Map<String, float[]> first = train(setup(train), "a", NOBODY, rows);
    Map<String, float[]> second =
        train(new Trainer.Setup(without, loss(), train, "this recipe"), "b", NOBODY, rows);

    assertThat(second.get(name)).isNotEqualTo(first.get(name));
  }

  @Test
  void resumingGivesSameBits() throws IOException {
    Map<String, float[]> undisturbed = train(setup(train(STEPS, 42)), "a", NOBODY, rows);
    DirectoryCheckpoints checkpoints = new DirectoryCheckpoints(directory);
    Consumer<StepReport> stopsAtEight =
        report -> {
          if (report.step() == 8) {
            throw new IllegalStateException("the machine is gone");
          }
        };
    assertThatThrownBy(() -> train(setup(train(STEPS, 42)), checkpoints, stopsAtEight, rows, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the machine is gone");
    assertThat(checkpoints.steps()).containsExactly(5L);

    List<Long> steps = new ArrayList<>();
    // Other initial weights, which the checkpoint's must replace.
    Map<String, float[]> resumed =
        train(setup(train(STEPS, 42)), checkpoints, report -> steps.add(report.step()), rows, 99);

    assertThat(steps).containsExactly(6L, 7L, 8L, 9L, 10L, 11L, 12L);
    assertThat(checkpoints.steps()).containsExactly(5L, 10L);
    requireSameBits(resumed, undisturbed);
  }

  @Test
  void lossesDecrease() throws IOException {
    List<StepReport> reports = new ArrayList<>();
    Map<String, float[]> before = initial();

    Map<String, float[]> after = train(setup(train(30, 42)), "a", reports::add, rows);

    assertThat(reports).hasSize(30);
    assertThat(mean(reports.subList(25, 30))).isLessThan(0.9 * mean(reports.subList(0, 5)));
    for (Term term : reports.get(0).terms().keySet()) {
      assertThat(reports.get(29).terms().get(term))
          .as(term.id())
          .isLessThan(reports.get(0).terms().get(term));
    }
    before.forEach((name, values) -> assertThat(after.get(name)).as(name).isNotEqualTo(values));
  }

  @Test
  void reportsEachStep() throws IOException {
    List<StepReport> reports = new ArrayList<>();
    train(setup(train(STEPS, 42)), "a", reports::add, rows);

    StepReport third = reports.get(2);
    assertThat(third.step()).isEqualTo(3);
    assertThat(third.steps()).isEqualTo(STEPS);
    assertThat(third.optimizer().learningRate()).isEqualTo(train(STEPS, 42).learningRate(2, STEPS));
    assertThat(third.optimizer().gradientNorm()).isPositive();
    assertThat(third.work().tokens()).isPositive();
    assertThat(third.terms())
        .containsOnlyKeys(Term.SOFT_LABEL, Term.HARD_LABEL, Term.HIDDEN_COSINE, Term.ATTENTION_MSE);
    assertThat(third.loss())
        .isCloseTo(
            5 * third.terms().get(Term.SOFT_LABEL)
                + 2 * third.terms().get(Term.HARD_LABEL)
                + third.terms().get(Term.HIDDEN_COSINE)
                + 0.1 * third.terms().get(Term.ATTENTION_MSE),
            within(1e-9));
  }

  @Test
  void rejectsCheckpointOfDifferentRecipe() throws IOException {
    DirectoryCheckpoints checkpoints = new DirectoryCheckpoints(directory);
    train(setup(train(STEPS, 42)), checkpoints, NOBODY, rows, 1);
    Trainer.Setup other = new Trainer.Setup(student(), loss(), train(STEPS, 42), "another recipe");

    assertThatThrownBy(() -> train(other, checkpoints, NOBODY, rows, 1))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "the newest checkpoint in '%s' belongs to another recipe or cache; choose another"
                    + " student name, or delete that directory",
                directory));
  }

  @Test
  void stopsAfterFiveStepsOfNonFiniteGradients() {
    List<Example> broken = rows.stream().map(TrainerTest::broken).toList();
    List<StepReport> reports = new ArrayList<>();

    assertThatThrownBy(() -> train(setup(train(STEPS, 42)), "a", reports::add, broken))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            "the gradients of 5 steps in a row, up to step 5, were not finite (terms"
                + " {SOFT_LABEL=NaN, HARD_LABEL=")
        .hasMessageEndingWith("; lower train.learning-rate (0.003), or set train.max-grad-norm");
    assertThat(reports).hasSize(4);
  }

  @Test
  void skipsStepsWithNonFiniteGradients() throws IOException {
    // One of sixteen rows is broken: one bad step in each epoch of four,
    // more in all than may follow each other.
    List<StepReport> reports = new ArrayList<>();
    Trainer.Setup setup = setup(train(28, 42));
    List<List<Example>> shards = shards(rows);
    shards.get(0).set(0, broken(shards.get(0).get(0)));

    Map<String, float[]> after =
        run(setup, new DirectoryCheckpoints(directory), reports::add, shards, 1);

    assertThat(reports).hasSize(28);
    assertThat(reports)
        .filteredOn(report -> Double.isNaN(report.optimizer().gradientNorm()))
        .hasSize(7);
    after.forEach(
        (name, values) -> {
          for (float value : values) {
            assertThat(value).as(name).isFinite();
          }
        });
  }

  @Test
  void publishesNothingWithoutCheckpoints() throws IOException {
    DirectoryCheckpoints checkpoints = new DirectoryCheckpoints(directory);
    TrainSpec some = train(STEPS, 42);
    TrainSpec none =
        new TrainSpec(
            some.epochs(),
            some.batching(),
            some.optimizer(),
            TrainSpec.Rounds.NONE,
            new TrainSpec.Run(STEPS, 42, 1, 0, Precision.FLOAT32));

    train(setup(none), checkpoints, NOBODY, rows, 1);

    assertThat(checkpoints.steps()).isEmpty();
  }

  private Map<String, float[]> train(
      Trainer.Setup setup, String name, Consumer<StepReport> listener, List<Example> examples)
      throws IOException {
    DirectoryCheckpoints checkpoints =
        new DirectoryCheckpoints(java.nio.file.Files.createDirectory(directory.resolve(name)));
    return train(setup, checkpoints, listener, examples, 1);
  }

  private Map<String, float[]> train(
      Trainer.Setup setup,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener,
      List<Example> examples,
      long initSeed)
      throws IOException {
    return run(setup, checkpoints, listener, shards(examples), initSeed);
  }

  /** Trains random weights and returns the result. */
  private Map<String, float[]> run(
      Trainer.Setup setup,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener,
      List<List<Example>> shards,
      long initSeed)
      throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = weights(manager, initSeed);
      Encoder teacherHead = new Encoder(teacher.spec(), teacher.weights(manager));
      new Trainer(setup, new MemorySource(shards), checkpoints, listener)
          .run(manager, weights, new TeacherParts(teacherHead, MlmTargets.NONE));
      return values(weights);
    }
  }

  private Map<String, float[]> initial() {
    try (NDManager manager = NDManager.newBaseManager()) {
      return values(weights(manager, 1));
    }
  }

  private Map<String, NDArray> weights(NDManager manager, long seed) {
    Map<String, NDArray> weights = StudentInit.random(manager, student(), seed);
    weights.putAll(
        StudentInit.projections(manager, loss(), WIDTH, teacher.spec().hiddenSize(), seed));
    return weights;
  }

  private static Map<String, float[]> values(Map<String, NDArray> weights) {
    Map<String, float[]> values = new LinkedHashMap<>();
    weights.forEach((name, weight) -> values.put(name, weight.toFloatArray()));
    return values;
  }

  private static void requireSameBits(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual).containsOnlyKeys(expected.keySet()).containsKey(loss().projection(1));
    expected.forEach(
        (name, values) -> assertThat(actual.get(name)).as(name).containsExactly(values));
  }

  private static double mean(List<StepReport> reports) {
    return reports.stream().mapToDouble(StepReport::loss).average().orElseThrow();
  }

  private Trainer.Setup setup(TrainSpec train) {
    return new Trainer.Setup(student(), loss(), train, "this recipe");
  }

  private EncoderSpec student() {
    return new EncoderSpec(
        teacher.spec().embeddings(),
        new EncoderSpec.Blocks(1, WIDTH, 4, 2 * WIDTH),
        new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
        teacher.spec().head());
  }

  private static DistillSpec loss() {
    return new DistillSpec(
        List.of(0, 3),
        new DistillSpec.SoftLabel(5, DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
        2,
        new DistillSpec.Hidden(
            1, DistillSpec.CosineLayers.LAST, 0, 0, 0, DistillSpec.Projection.PER_LAYER),
        0.1,
        DistillSpec.Relations.NONE);
  }

  /** Sixteen rows are four steps an epoch, each of two micro-batches or more. */
  private static TrainSpec train(int steps, long seed) {
    return new TrainSpec(
        10,
        new TrainSpec.Batching(4, 24, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(3e-3, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(steps, seed, 1, 5, Precision.FLOAT32));
  }

  /** Shards that end in the middle of a step. */
  private static List<List<Example>> shards(List<Example> examples) {
    List<List<Example>> shards = new ArrayList<>();
    for (int row = 0; row < 16; row++) {
      if (row % 6 == 0) {
        shards.add(new ArrayList<>());
      }
      shards.get(shards.size() - 1).add(examples.get(row % examples.size()));
    }
    return shards;
  }

  private static Example broken(Example example) {
    Map<String, byte[]> cells = new HashMap<>(example.cells());
    String last = Targets.hidden(GoldenTargets.LAYERS).name();
    float[] values = new float[cells.get(last).length / 4];
    Arrays.fill(values, Float.NaN);
    cells.put(last, GoldenTargets.bytes(values));
    return new Example(example.id(), example.inputs(), example.dtype(), cells);
  }
}
