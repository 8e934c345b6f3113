package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class ShardScheduleTest {
  private static final List<Integer> SHARDS = List.of(5, 3, 7, 1, 6, 4);
  private static final int BATCH_SIZE = 4;

  @Test
  void laterStepsDoNotReadFinishedShards() {
    for (int block : new int[] {1, 2, 4}) {
      for (int epochs : new int[] {1, 2}) {
        for (int mostSteps : new int[] {0, 3, 9}) {
          TrainSpec train = train(epochs, block, mostSteps, TrainSpec.Rounds.NONE);
          ShardSchedule schedule = new ShardSchedule(train, SHARDS);
          RowOrder order = RowOrder.of(train, SHARDS);
          assertThat(schedule.steps()).isEqualTo(train.steps(26));
          for (long done = 0; done <= schedule.steps(); done++) {
            Set<Integer> later = new TreeSet<>();
            for (long step = done; step < schedule.steps(); step++) {
              later.addAll(order.shards(step, step)); // without the block after it
            }
            int first = later.stream().mapToInt(Integer::intValue).min().orElse(SHARDS.size());
            assertThat(schedule.shardsFinished(done))
                .as("%s, %d done", train, done)
                .isEqualTo(first);
          }
        }
      }
    }
  }

  @Test
  void startedShardsAreThoseReadSoFar() {
    TrainSpec train = train(1, 2, 0, TrainSpec.Rounds.NONE);
    ShardSchedule schedule = new ShardSchedule(train, SHARDS);
    RowOrder order = RowOrder.of(train, SHARDS);

    assertThat(schedule.shardsStarted(0)).isZero();
    for (long steps = 1; steps <= schedule.steps(); steps++) {
      int last = order.shards(steps - 1, steps - 1).stream().mapToInt(u -> u).max().orElseThrow();
      assertThat(schedule.shardsStarted(steps)).isEqualTo(last + 1);
    }
  }

  @Test
  void countsShardsReadAtOnceByStepOrRound() {
    // Shards begin at rows 0, 5, 8, 15, 16 and 22: no step of four reads more than two.
    assertThat(new ShardSchedule(train(1, 1, 0, TrainSpec.Rounds.NONE), SHARDS).maxLiveShards())
        .isEqualTo(2);
    assertThat(new ShardSchedule(train(1, 4, 0, TrainSpec.Rounds.NONE), SHARDS).maxLiveShards())
        .isEqualTo(4);
    TrainSpec.Rounds rounds =
        new TrainSpec.Rounds(
            2, 2, TrainSpec.Rounds.NONE.outer(), TrainSpec.Rounds.NONE.inner(), false);
    assertThat(new ShardSchedule(train(1, 1, 0, rounds), SHARDS).maxLiveShards()).isEqualTo(4);
    ShardSchedule twice = new ShardSchedule(train(2, 1, 0, TrainSpec.Rounds.NONE), SHARDS);
    assertThat(twice.hasSecondEpoch()).isTrue();
    assertThat(twice.maxLiveShards()).isEqualTo(SHARDS.size());
  }

  @Test
  void rejectsShuffledOrder() {
    TrainSpec train = train(1, 1, 0, TrainSpec.Rounds.NONE);
    TrainSpec shuffled =
        new TrainSpec(
            1,
            new TrainSpec.Batching(BATCH_SIZE, 64, 1, TrainSpec.Order.SHUFFLED),
            train.optimizer(),
            train.rounds(),
            train.run());

    assertThatThrownBy(() -> new ShardSchedule(shuffled, SHARDS))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("the order of shards must be PLAN");
  }

  private static TrainSpec train(int epochs, int block, int steps, TrainSpec.Rounds rounds) {
    return new TrainSpec(
        epochs,
        new TrainSpec.Batching(BATCH_SIZE, 64, block, TrainSpec.Order.PLAN),
        new TrainSpec.Optimizer(1e-3, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0, 0),
        rounds,
        new TrainSpec.Run(steps, 7, 1, 0, Precision.FLOAT32));
  }
}
