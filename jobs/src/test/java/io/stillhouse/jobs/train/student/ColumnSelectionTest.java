package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.Blocks;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ColumnSelectionTest {
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(100, 40, 2, 0),
          new EncoderSpec.Blocks(12, 24, 4, 48),
          new EncoderSpec.Numerics(1e-12, 0, 0, 0),
          Head.NONE);

  @Test
  void relationsNeedOneHiddenStateAndWeightsOfTheirBlock() {
    ColumnSelection reads =
        reads(new DistillSpec.Relations(0, 1, 1, 1, 8, Blocks.LAST), StudentRun.Scores.DERIVED);

    assertThat(reads.columns()).containsExactly(Targets.hidden(11));
    assertThat(reads.teacherTensors())
        .containsExactlyInAnyOrderElementsOf(
            tensors(12, AttentionPart.QUERY, AttentionPart.KEY, AttentionPart.VALUE));
  }

  @Test
  void relationsOfAllBlocksNeedStateBelowEach() {
    ColumnSelection reads =
        reads(new DistillSpec.Relations(0, 0, 1, 0, 8, Blocks.ALL), StudentRun.Scores.DERIVED);

    assertThat(reads.columns()).containsExactly(Targets.hidden(5), Targets.hidden(11));
    assertThat(reads.teacherTensors())
        .contains(
            AttentionPart.KEY.layer(EncoderSpec.blockPrefix(6)) + ".weight",
            AttentionPart.KEY.layer(EncoderSpec.blockPrefix(12)) + ".bias")
        .hasSize(4);
  }

  @Test
  void readsStoredScoresAndValueRelationsOfTeacherHeads() {
    ColumnSelection reads =
        reads(
            new DistillSpec.Relations(1, 0, 0, 1, 4, Blocks.LAST),
            StudentRun.Scores.STORED,
            Targets.attention(12),
            Targets.valueRelations(12));

    assertThat(reads.columns()).containsExactly(Targets.attention(12), Targets.valueRelations(12));
    assertThat(reads.teacherTensors()).isEmpty();
  }

  @Test
  void derivesValueRelationsOfOtherHeads() {
    ColumnSelection reads =
        reads(
            new DistillSpec.Relations(0, 0, 0, 1, 8, Blocks.LAST),
            StudentRun.Scores.STORED,
            Targets.valueRelations(12));

    assertThat(reads.columns()).containsExactly(Targets.hidden(11));
    assertThat(reads.teacherTensors())
        .containsExactlyInAnyOrderElementsOf(tensors(12, AttentionPart.VALUE));
  }

  @Test
  void firstTokenLossNeedsAllMappedStatesExceptLast() {
    DistillSpec.Hidden hidden =
        new DistillSpec.Hidden(
            0, DistillSpec.CosineLayers.LAST, 0, 0, 1, DistillSpec.Projection.PER_LAYER);

    assertThat(
            ColumnSelection.of(
                    spec(hidden, DistillSpec.Relations.NONE),
                    TEACHER,
                    StudentRun.TargetStorage.NONE,
                    column -> false)
                .columns())
        .containsExactly(Targets.hidden(6));
  }

  private static ColumnSelection reads(
      DistillSpec.Relations relations, StudentRun.Scores kept, Column... stored) {
    return ColumnSelection.of(
        spec(DistillSpec.Hidden.NONE, relations),
        TEACHER,
        new StudentRun.TargetStorage(MlmTargets.NONE, kept),
        List.of(stored)::contains);
  }

  private static DistillSpec spec(DistillSpec.Hidden hidden, DistillSpec.Relations relations) {
    return new DistillSpec(
        List.of(0, 6, 12),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        0,
        hidden,
        0,
        relations);
  }

  private static List<String> tensors(int block, AttentionPart... parts) {
    List<String> tensors = new ArrayList<>();
    for (AttentionPart part : parts) {
      tensors.add(part.layer(EncoderSpec.blockPrefix(block)) + ".weight");
      tensors.add(part.layer(EncoderSpec.blockPrefix(block)) + ".bias");
    }
    return tensors;
  }
}
