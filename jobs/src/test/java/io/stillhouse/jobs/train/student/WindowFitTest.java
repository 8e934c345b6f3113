package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import java.util.Collections;
import java.util.List;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/** A cache of ten shards with four rows each. */
class WindowFitTest {
  private static final List<Integer> SHARD_ROWS = Collections.nCopies(10, 4);

  @Test
  void acceptsOneEpochInPlanOrder() {
    assertThatCode(() -> require(3, train(1, 4, TrainSpec.Order.PLAN))).doesNotThrowAnyException();
  }

  @Test
  void rejectsShuffledOrder() {
    assertThatThrownBy(() -> require(3, train(1, 4, TrainSpec.Order.SHUFFLED)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "cache 'cache' has a window of 3 of its 10 shards, which are read in the order in which"
                + " they are written, but train.order is 'shuffled'; set train.order=plan");
  }

  @Test
  void rejectsSecondEpoch() {
    assertThatThrownBy(() -> require(3, train(2, 4, TrainSpec.Order.PLAN)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("it can be read once, but train.epochs is 2; set train.epochs=1");
  }

  @Test
  void acceptsSecondEpochIfWindowHoldsWholeCache() {
    assertThatCode(() -> require(10, train(2, 4, TrainSpec.Order.PLAN))).doesNotThrowAnyException();
  }

  @Test
  void rejectsStepsThatReadMoreShardsThanWindow() {
    assertThatThrownBy(() -> require(3, train(1, 20, TrainSpec.Order.PLAN)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a step of train.batch-size=20 and train.shuffle-shards=1 reads")
        .hasMessageContaining("create the cache with cache.window=");
  }

  @Test
  void checkpointsFourTimesPerWindow() {
    assertThat(WindowFit.checkpointStride(40, 2)).isEqualTo(10);
  }

  @Test
  void checkpointsAfterEveryShardOfSmallWindow() {
    assertThat(WindowFit.checkpointStride(3, 1)).isEqualTo(1);
  }

  @Test
  void checkpointsBeforeWindowBlocksTraining() {
    assertThat(WindowFit.checkpointStride(40, 38)).isEqualTo(3);
    assertThat(WindowFit.checkpointStride(40, 40)).isEqualTo(1);
  }

  private static void require(int window, TrainSpec train) {
    WindowFit.require(new Path("cache"), window, SHARD_ROWS, train);
  }

  private static TrainSpec train(int epochs, int batchSize, TrainSpec.Order order) {
    return new TrainSpec(
        epochs,
        new TrainSpec.Batching(batchSize, 2048, 1, order),
        new TrainSpec.Optimizer(5e-5, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(0, 42, 1, 0, Precision.FLOAT32));
  }
}
