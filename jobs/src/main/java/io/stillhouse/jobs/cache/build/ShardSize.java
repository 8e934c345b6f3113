package io.stillhouse.jobs.cache.build;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.TargetChoice;

/**
 * Determines how many tokens a shard holds.
 *
 * @param mostTokens maximum number of tokens in a shard
 */
record ShardSize(long mostTokens) {
  /** Training keeps the targets of a shard or two in memory. */
  private static final long MAX_BYTES = 256L << 20;

  private static final int MIN_SHARDS = 16;

  /** With fewer tokens, a shard's files cost more time than parallelism saves. */
  private static final long MIN_TOKENS = 1024;

  /**
   * Returns the size that a recipe requests, or a smaller one if the targets of a shard would take
   * more than 256 MiB.
   */
  static ShardSize of(Settings settings, TargetChoice choice, EncoderSpec teacher) {
    int length = settings.get(Options.MAX_LENGTH);
    long rowBytes = Math.max(1, choice.cellBytes(length, teacher));
    return new ShardSize(
        Math.min(
            settings.get(Options.SHARD_TOKENS), Math.max(length, MAX_BYTES * length / rowBytes)));
  }

  /**
   * Returns the number of tokens per shard for a corpus. A small corpus has smaller shards, so that
   * several cores are used. The result does not depend on the machines: the same corpus always has
   * the same shards.
   */
  long tokens(long corpusTokens) {
    return Math.min(mostTokens, Math.max(MIN_TOKENS, corpusTokens / MIN_SHARDS + 1));
  }
}
