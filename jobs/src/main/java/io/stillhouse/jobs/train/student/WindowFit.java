package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.ShardSchedule;
import java.util.List;
import org.apache.hadoop.fs.Path;

/** Checks that a training reads a cache in a way that its rolling window can serve. */
final class WindowFit {
  /** The number of checkpoints per window; a large window needs no checkpoint for each shard. */
  private static final int CHECKPOINTS_PER_WINDOW = 4;

  private WindowFit() {}

  /**
   * Requires that a training reads shards in order, once, and no more at a time than the window
   * holds.
   *
   * @param window the number of shards whose targets may exist at a time
   * @param shardRows the number of rows of each shard of the cache
   * @throws io.stillhouse.error.StillhouseException naming the setting to change
   */
  static void require(Path cache, int window, List<Integer> shardRows, TrainSpec train) {
    String has =
        format("cache '%s' has a window of %d of its %d shards", cache, window, shardRows.size());
    if (train.batching().order() != TrainSpec.Order.PLAN) {
      throw Errors.invalid(
          format(
              "%s, which are read in the order in which they are written, but %s is 'shuffled'",
              has, Options.ORDER.key()),
          format("set %s=plan", Options.ORDER.key()));
    }
    ShardSchedule schedule = new ShardSchedule(train, shardRows);
    if (schedule.hasSecondEpoch() && window < shardRows.size()) {
      throw Errors.invalid(
          format(
              "%s, so it can be read once, but %s is %d",
              has, Options.EPOCHS.key(), train.epochs()),
          format(
              "set %s=1, or create a cache with %s=0",
              Options.EPOCHS.key(), Options.CACHE_WINDOW.key()));
    }
    int needed = schedule.maxLiveShards();
    if (needed > window) {
      throw Errors.invalid(
          format("%s, but a %s reads up to %d", has, describeReading(train), needed),
          format(
              "create the cache with %s=%d or more, or lower these values",
              Options.CACHE_WINDOW.key(), needed));
    }
  }

  private static String describeReading(TrainSpec train) {
    return train.rounds().used()
        ? format(
            "round of %s=%d and %s=%d",
            Options.WORKERS.key(),
            train.rounds().workers(),
            Options.ROUND_STEPS.key(),
            train.rounds().steps())
        : format(
            "step of %s=%d and %s=%d",
            Options.BATCH_SIZE.key(),
            train.batchSize(),
            Options.SHUFFLE_SHARDS.key(),
            train.shuffleShards());
  }

  /**
   * Returns after how many shards a checkpoint is due, so that the window can advance.
   *
   * @param mostAtOnce the maximum number of shards that a step or a round reads
   */
  static int checkpointStride(int window, int mostAtOnce) {
    int spare = window - mostAtOnce + 1;
    return Math.max(1, Math.min(window / CHECKPOINTS_PER_WINDOW, spare));
  }
}
