package io.stillhouse.train.rounds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class RoundScheduleTest {
  @Test
  void assignsEveryStepOnceInConsecutiveShares() {
    for (int workers = 1; workers <= 5; workers++) {
      RoundSchedule schedule = new RoundSchedule(train(workers, 7, TrainSpec.Moments.RESET), 410);
      List<Long> taken = new ArrayList<>();
      List<Long> numbers = new ArrayList<>();
      for (int round = 0; round < schedule.rounds(); round++) {
        for (int worker = 0; worker < workers; worker++) {
          RoundSchedule.Share share = schedule.share(round, worker);
          assertThat(share.steps()).isBetween(0, 7);
          for (int step = 0; step < share.steps(); step++) {
            taken.add(share.firstBatch() + step);
            numbers.add(schedule.stepOf(round, worker, step));
          }
        }
      }
      assertThat(schedule.steps()).isEqualTo(82);
      assertThat(taken).isEqualTo(LongStream.range(0, 82).boxed().toList());
      assertThat(numbers)
          .containsExactlyInAnyOrderElementsOf(LongStream.rangeClosed(1, 82).boxed().toList());
    }
  }

  @Test
  void dividesLastRoundEvenly() {
    RoundSchedule schedule = new RoundSchedule(train(4, 10, TrainSpec.Moments.RESET), 410);

    assertThat(schedule.rounds()).isEqualTo(3);
    assertThat(schedule.stepsAfter(2)).isEqualTo(80);
    assertThat(schedule.share(1, 2)).isEqualTo(new RoundSchedule.Share(60, 10, 10));
    assertThat(schedule.share(2, 0)).isEqualTo(new RoundSchedule.Share(80, 1, 20));
    assertThat(schedule.share(2, 1)).isEqualTo(new RoundSchedule.Share(81, 1, 20));
    assertThat(schedule.share(2, 2).steps()).isZero();
  }

  @Test
  void learningRateFollowsWorkerStepsAndRestartsWarmupOnReset() {
    TrainSpec train = train(2, 10, TrainSpec.Moments.RESET);
    RoundSchedule schedule = new RoundSchedule(train, 410);
    RoundSchedule.Share second = schedule.share(1, 0);

    assertThat(train.stepsOfWorker(82)).isEqualTo(41);
    assertThat(schedule.learningRate(second, 3)).isEqualTo(train.learningRate(13, 41));
    assertThat(schedule.learningRate(second, 0))
        .isCloseTo(train.learningRate(10, 41) / 3, within(1e-18));
    assertThat(new RoundSchedule(train(2, 10, TrainSpec.Moments.KEPT), 410).learningRate(second, 0))
        .isEqualTo(train.learningRate(10, 41));
  }

  /** One epoch of 410 rows is 82 steps of 5. */
  private static TrainSpec train(int workers, int steps, TrainSpec.Moments moments) {
    return new TrainSpec(
        1,
        new TrainSpec.Batching(5, 64, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(1e-3, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        new TrainSpec.Rounds(
            workers,
            steps,
            new TrainSpec.Outer(0.7, 0.5, 3),
            new TrainSpec.Inner(moments, 2, TrainSpec.Delta.FLOAT32),
            false),
        new TrainSpec.Run(0, 1, 1, 0, Precision.FLOAT32));
  }
}
