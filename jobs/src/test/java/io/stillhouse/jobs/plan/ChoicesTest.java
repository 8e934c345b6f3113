package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.Blocks;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ChoicesTest {
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(100, 40, 2, 0),
          new EncoderSpec.Blocks(12, 24, 4, 48),
          new EncoderSpec.Numerics(1e-12, 0, 0, 0),
          Head.NONE);

  @Test
  void storedValueRelationsOnlyServeHeadsOfTeacher() {
    String refused =
        "no: relations of block 12 are derived from hidden state 11, which is not stored";

    assertThat(stored(new DistillSpec.Relations(0, 0, 0, 1, 4, Blocks.LAST))).isEqualTo("yes");
    assertThat(stored(new DistillSpec.Relations(0, 0, 0, 1, 8, Blocks.LAST))).isEqualTo(refused);
    assertThat(stored(new DistillSpec.Relations(0, 1, 0, 1, 4, Blocks.LAST))).isEqualTo(refused);
    assertThat(stored(new DistillSpec.Relations(0, 1, 0, 1, 4, Blocks.LAST), "targets.hidden=[11]"))
        .isEqualTo("yes");
  }

  @Test
  void hiddenStateBelowServesAnyNumberOfHeads() {
    assertThat(serves("derived", new DistillSpec.Relations(1, 1, 1, 1, 8, Blocks.LAST)))
        .isEqualTo("yes");
  }

  private static String stored(DistillSpec.Relations relations, String... more) {
    return serves("stored", relations, more);
  }

  /** Returns whether float32 targets stored this way suffice. */
  private static String serves(String kept, DistillSpec.Relations relations, String... more) {
    StoredBytes nothing = new StoredBytes(Map.of(), 0, 0);
    Lengths lengths = new Lengths(10, 10, 100, 1000);
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 12),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
            0,
            DistillSpec.Hidden.NONE,
            0,
            relations);
    return Choices.of(
            Tiny.settings(List.of("targets.value-relations=[12]"), more),
            TEACHER,
            loss,
            new TargetSizes(nothing, lengths, nothing, lengths, lengths),
            0)
        .stream()
        .filter(
            choice ->
                choice.settings().get("targets.scores").equals(kept)
                    && choice.settings().get("targets.dtype").equals("float32"))
        .findFirst()
        .orElseThrow()
        .serves();
  }
}
