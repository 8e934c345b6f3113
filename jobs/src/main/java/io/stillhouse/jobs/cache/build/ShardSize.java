package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.TargetChoice;

/**
 * Decides how many tokens a shard holds.
 *
 * @param mostTokens the most that it may hold
 */
record ShardSize(long mostTokens) {
  /** Training keeps the targets of a shard or two in memory. */
  private static final long MOST_BYTES = 256L << 20;

  private static final int FEWEST_SHARDS = 16;

  /** With fewer tokens, a shard's files cost more than the parallelism gains. */
  private static final long LEAST_TOKENS = 1024;

  /**
   * Returns the size that a recipe asks for, or a smaller one if the targets of a shard would take
   * more than 256 MiB.
   */
  static ShardSize of(Settings settings, TargetChoice choice, EncoderSpec teacher) {
    int length = settings.get(Options.MAX_LENGTH);
    long rowBytes = Math.max(1, choice.cellBytes(length, teacher));
    return new ShardSize(
        Math.min(
            settings.get(Options.SHARD_TOKENS), Math.max(length, MOST_BYTES * length / rowBytes)));
  }

  /**
   * Returns the tokens of a shard of a corpus. A small corpus has smaller shards, so that they
   * occupy several cores. The machines do not matter: the same corpus always has the same shards.
   */
  long tokens(long corpusTokens) {
    return Math.min(mostTokens, Math.max(LEAST_TOKENS, corpusTokens / FEWEST_SHARDS + 1));
  }
}
