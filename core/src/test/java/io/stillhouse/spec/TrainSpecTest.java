package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainSpecTest {
  @Test
  void learningRateMatchesValuesComputedByHand() {
    TrainSpec spec = spec(21, 0.25, 0);

    // Warm-up of ceil(0.25 * 10) = 3 steps, then 7 down.
    double[] expected = {0, 7, 14, 21, 18, 15, 12, 9, 6, 3};
    for (int step = 0; step < 10; step++) {
      assertThat(spec.learningRate(step, 10)).isCloseTo(expected[step], within(1e-12));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "1, 0.1", "7, 0", "10, 0.1", "13, 0.06", "100, 0.999"})
  void learningRateMatchesLinearScheduleOfHuggingFace(int steps, double warmup) {
    TrainSpec spec = spec(5e-5, warmup, 0);
    // get_linear_schedule_with_warmup, with TrainingArguments.get_warmup_steps
    int warmupSteps = (int) Math.ceil(steps * warmup);
    for (int step = 0; step < steps; step++) {
      double factor =
          step < warmupSteps
              ? (double) step / Math.max(1, warmupSteps)
              : Math.max(0.0, (double) (steps - step) / Math.max(1, steps - warmupSteps));
      assertThat(spec.learningRate(step, steps)).isCloseTo(5e-5 * factor, within(1e-18));
    }
  }

  @Test
  void lastStepOfEpochMayHaveFewerRows() {
    assertThat(spec(1, 0, 0).stepsPerEpoch(33)).isEqualTo(2);
    assertThat(spec(1, 0, 0).stepsPerEpoch(32)).isEqualTo(1);
    assertThat(spec(1, 0, 0).steps(33)).isEqualTo(6);
  }

  @Test
  void maxStepsLimitsSteps() {
    assertThat(spec(1, 0, 4).steps(33)).isEqualTo(4);
    assertThat(spec(1, 0, 400).steps(33)).isEqualTo(6);
  }

  @Test
  void takesStepsOfAllRowsWithSomeOfThem() {
    TrainSpec all = spec(1, 0, 0); // 3 epochs of 320 rows are 30 steps; one of 33 rows is 2 steps

    TrainSpec some = all.withRows(33, 320);

    assertThat(some.epochs()).isEqualTo(15);
    assertThat(some.steps(33)).isEqualTo(30);
    assertThat(spec(1, 0, 7).withRows(33, 320).steps(33)).isEqualTo(7);
  }

  @Test
  void evaluatesAsOftenAsWithAllRows() {
    TrainSpec.Selection eachEpoch = new TrainSpec.Selection(TrainSpec.Keep.BEST, "f1", 0, 2);

    assertThat(spec(1, 0, 0).withSelection(eachEpoch).withRows(33, 320).selection())
        .isEqualTo(new TrainSpec.Selection(TrainSpec.Keep.BEST, "f1", 10, 2));
  }

  private static TrainSpec spec(double rate, double warmup, long maxSteps) {
    return new TrainSpec(
        3,
        new TrainSpec.Batching(32, 2048, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(rate, warmup, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(maxSteps, 42, 1, 0, Precision.FLOAT32));
  }
}
