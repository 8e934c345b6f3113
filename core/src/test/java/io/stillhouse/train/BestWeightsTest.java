package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trainings of twelve steps, three per epoch, with given measurements. */
class BestWeightsTest {
  private static final String TENSOR = EncoderSpec.blockPrefix(1) + "output.dense.weight";
  private static final Consumer<StepReport> NOBODY = report -> {};

  @TempDir private Path directory;
  private EncoderSpec student;
  private List<Example> rows;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    EncoderSpec teacher =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1")).spec();
    student =
        new EncoderSpec(
            teacher.embeddings(),
            new EncoderSpec.Blocks(1, 16, 4, 32),
            new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
            teacher.head());
    try (NDManager manager = NDManager.newBaseManager()) {
      List<Example> golden =
          GoldenTargets.of(new Golden("bert-tiny-mlm-v1/golden.safetensors", manager));
      rows = new ArrayList<>();
      for (int row = 0; row < 12; row++) {
        rows.add(golden.get(row % golden.size()));
      }
    }
  }

  @Test
  void keepsBestEpochAndEarlierOfTies() throws IOException {
    Scripted scripted = new Scripted(1, 3, 3, 2);
    Outcome outcome = train(0, 0, scripted, "a", NOBODY);

    assertThat(scripted.seen).hasSize(4);
    assertThat(outcome.chosen()).isEqualTo(new TrainSpec.KeptStep("accuracy", 6, 3));
    assertThat(outcome.steps()).isEqualTo(12);
    assertThat(outcome.weight()).containsExactly(scripted.seen.get(1));
  }

  @Test
  void stopsWhenPatienceRunsOut() throws IOException {
    Scripted scripted = new Scripted(5, 4, 3, 9);
    Outcome outcome = train(0, 2, scripted, "a", NOBODY);

    assertThat(outcome.steps()).isEqualTo(9);
    assertThat(outcome.chosen()).isEqualTo(new TrainSpec.KeptStep("accuracy", 3, 5));
    assertThat(outcome.weight()).containsExactly(scripted.seen.get(0));
  }

  @Test
  void evaluatesAtIntervalsAndAtEnd() throws IOException {
    Scripted scripted = new Scripted(1, 2, 9);
    Outcome outcome = train(5, 0, scripted, "a", NOBODY);

    assertThat(outcome.chosen()).isEqualTo(new TrainSpec.KeptStep("accuracy", 12, 9));
    assertThat(scripted.seen).hasSize(3);
  }

  @Test
  void resumingRestoresBestWeights() throws IOException {
    Outcome whole = train(0, 0, new Scripted(7, 1, 2, 3), "whole", NOBODY);
    assertThatThrownBy(
            () ->
                train(
                    0,
                    0,
                    new Scripted(7, 1, 2, 3),
                    "cut",
                    report -> {
                      if (report.step() == 8) {
                        throw new IllegalStateException("the machine is gone");
                      }
                    }))
        .hasMessage("the machine is gone");

    Outcome resumed = train(0, 0, new Scripted(1, 2, 3), "cut", NOBODY);

    assertThat(resumed.chosen()).isEqualTo(new TrainSpec.KeptStep("accuracy", 3, 7));
    assertThat(resumed.weight()).containsExactly(whole.weight());
  }

  /** Returns given measurements, and records the weights it receives. */
  private static final class Scripted implements Trainer.Measure {
    private final double[] values;
    private final List<float[]> seen = new ArrayList<>();

    Scripted(double... values) {
      this.values = values;
    }

    @Override
    public double of(Map<String, NDArray> weights) {
      seen.add(weights.get(TENSOR).toFloatArray());
      return values[seen.size() - 1];
    }
  }

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Outcome(TrainSpec.KeptStep chosen, long steps, float[] weight) {}

  private Outcome train(
      int everySteps,
      int patience,
      Trainer.Measure measure,
      String name,
      Consumer<StepReport> listener)
      throws IOException {
    TrainSpec train =
        new TrainSpec(
            4,
            new TrainSpec.Batching(4, 64, 1, TrainSpec.Order.SHUFFLED),
            new TrainSpec.Optimizer(3e-3, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
            TrainSpec.Rounds.NONE,
            new TrainSpec.Run(0, 42, 1, 5, Precision.FLOAT32),
            new TrainSpec.Selection(TrainSpec.Keep.BEST, "accuracy", everySteps, patience));
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 3),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.MASKED),
            1,
            DistillSpec.Hidden.NONE,
            0,
            DistillSpec.Relations.NONE);
    Path checkpoints = Files.createDirectories(directory.resolve(name));
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = new TreeMap<>(StudentInit.random(manager, student, 1));
      Trainer trainer =
          new Trainer(
              new Trainer.Setup(student, loss, train, "this recipe"),
              new MemorySource(List.of(rows)),
              stores.computeIfAbsent(name, n -> new DirectoryCheckpoints(checkpoints)),
              listener,
              measure);
      try (Trainer.Run run = trainer.begin(manager, weights, TeacherParts.NONE)) {
        while (run.step()) {
          // the listener reports
        }
        return new Outcome(run.keptStep(), run.stepsDone(), weights.get(TENSOR).toFloatArray());
      }
    }
  }

  private final Map<String, DirectoryCheckpoints> stores = new TreeMap<>();
}
