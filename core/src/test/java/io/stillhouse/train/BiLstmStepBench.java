package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.GoldenTargets;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The speed of a training step at the paper's size, on BERT-base's table: forward to AdamW. */
@Tag("bench")
class BiLstmStepBench {
  private static final int ROWS = 32;
  private static final int LENGTH = 25;
  private static final int STEPS = 20;
  private static final int ROUNDS = 3;

  @Test
  void printsTokensPerSecond() {
    BiLstmSpec spec =
        new BiLstmSpec(
            new BiLstmSpec.Words(30_522, 768),
            new BiLstmSpec.Units(300, 400),
            0.1,
            BiLstmSpec.Texts.SINGLE,
            new Head(Task.CLASSIFICATION, List.of("no", "yes")));
    DistillSpec loss =
        new DistillSpec(
            List.of(),
            new DistillSpec.SoftLabel(1, DistillSpec.Kind.MSE, 1, DistillSpec.Positions.ALL),
            0,
            DistillSpec.Hidden.NONE,
            0,
            DistillSpec.Relations.NONE);
    TrainSpec train =
        new TrainSpec(
            1,
            new TrainSpec.Batching(ROWS, 2048, 1, TrainSpec.Order.SHUFFLED),
            new TrainSpec.Optimizer(1e-3, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
            TrainSpec.Rounds.NONE,
            new TrainSpec.Run(0, 42, 2, 0, Precision.FLOAT32));
    double[] tokensPerSecond = new double[ROUNDS];
    try (NDManager manager = NDManager.newBaseManager()) {
      Autograd.record(Autograd.Mode.OFF);
      Map<String, NDArray> weights = BiLstmInit.random(manager, spec, Map.of(), 1);
      Trainer.Setup setup = new Trainer.Setup(spec, loss, train, "bench");
      List<Example> rows = rows();
      try (Worker worker = new Worker(manager, setup, weights, TeacherParts.NONE)) {
        int step = 0;
        for (int round = -1; round < ROUNDS; round++) {
          long start = System.nanoTime();
          for (int i = 0; i < STEPS; i++, step++) {
            assertThat(worker.step(rows, step, step + 1, 1e-3).gradientNorm()).isFinite();
          }
          if (round >= 0) { // the first warms up
            double seconds = (System.nanoTime() - start) / 1e9;
            tokensPerSecond[round] = (double) STEPS * ROWS * LENGTH / seconds;
          }
        }
      }
    }
    System.out.println("tokens/s of training steps: " + Arrays.toString(tokensPerSecond));
  }

  private static List<Example> rows() {
    Random random = new Random(1);
    List<Example> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      Example.Inputs inputs =
          new Example.Inputs(
              random.ints(LENGTH, 1000, 30_000).toArray(), new int[LENGTH], null, Double.NaN);
      Map<String, byte[]> cells =
          Map.of(
              Targets.LOGITS.name(),
              GoldenTargets.bytes(
                  new float[] {(float) random.nextGaussian(), (float) random.nextGaussian()}));
      rows.add(new Example("row " + row, inputs, Dtype.FLOAT32, cells));
    }
    return rows;
  }
}
