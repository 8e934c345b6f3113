package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetChoice;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShardSizeTest {
  private static final EncoderSpec BERT_BASE =
      new EncoderSpec(
          new EncoderSpec.Embeddings(30_522, 512, 2, 0),
          new EncoderSpec.Blocks(12, 768, 12, 3072),
          new EncoderSpec.Numerics(1e-12, 0, 0, 0),
          Head.NONE);

  @Test
  void largeCorpusUsesShardSizeOfRecipe() {
    assertThat(new ShardSize(1_000_000).tokens(100_000_000)).isEqualTo(1_000_000);
  }

  @Test
  void smallCorpusHasSixteenShards() {
    assertThat(new ShardSize(1_000_000).tokens(160_000)).isEqualTo(10_001);
  }

  @Test
  void shardsHaveAtLeastThousandTokens() {
    assertThat(new ShardSize(1_000_000).tokens(2000)).isEqualTo(1024);
  }

  @Test
  void shardSizeOfRecipeIsUpperLimit() {
    assertThat(new ShardSize(300).tokens(2000)).isEqualTo(300);
  }

  @Test
  void smallTargetsDoNotLimitShardSize() {
    assertThat(size(TargetChoice.none(Dtype.FLOAT32), "cache.shard-tokens=400000"))
        .isEqualTo(new ShardSize(400_000));
  }

  @Test
  void largeTargetsLimitShardTo256Mebibytes() {
    // A token of one float32 state takes 768 * 4 bytes: 2^28 / 3072 tokens.
    assertThat(size(hidden(List.of(12)), "cache.shard-tokens=100000000"))
        .isEqualTo(new ShardSize((1L << 28) / 3072));
  }

  @Test
  void shardHasAtLeastOneRow() {
    List<Integer> blocks = List.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    TargetChoice scores =
        new TargetChoice(
            Dtype.FLOAT32, TargetChoice.Logits.NONE, MlmTargets.NONE, List.of(), blocks, List.of());

    // The scores of one row of 2,000 tokens take 12 * 12 * 2000^2 * 4 bytes.
    assertThat(size(scores, "corpus.max-length=2000")).isEqualTo(new ShardSize(2000));
  }

  private static TargetChoice hidden(List<Integer> layers) {
    return new TargetChoice(
        Dtype.FLOAT32, TargetChoice.Logits.NONE, MlmTargets.NONE, layers, List.of(), List.of());
  }

  private static ShardSize size(TargetChoice choice, String... more) {
    Settings settings = Tiny.settings(List.of("corpus.max-length=128"), more);
    return ShardSize.of(settings, choice, BERT_BASE);
  }
}
