package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.spec.DistillSpec.Relations;
import java.util.List;
import org.junit.jupiter.api.Test;

class DistillSpecTest {
  @Test
  void cosineLossReadsLastStateOrAllBlocks() {
    assertThat(spec(1, DistillSpec.CosineLayers.LAST, 0, 0, 0).studentHidden()).containsExactly(2);
    assertThat(spec(1, DistillSpec.CosineLayers.ALL, 0, 0, 0).studentHidden())
        .containsExactly(1, 2);
  }

  @Test
  void embeddingOutputHasNoCosineLoss() {
    DistillSpec spec = spec(1, DistillSpec.CosineLayers.ALL, 0, 1, 0);

    assertThat(spec.studentHidden()).containsExactly(0, 1, 2);
    assertThat(spec.readsCosine(0)).isFalse();
    assertThat(spec.readsCosine(1)).isTrue();
  }

  @Test
  void squaredErrorsReadBlocksAndEmbeddingsSeparately() {
    assertThat(spec(0, DistillSpec.CosineLayers.ALL, 1, 0, 0).studentHidden())
        .containsExactly(1, 2);
    assertThat(spec(0, DistillSpec.CosineLayers.ALL, 0, 1, 0).studentHidden()).containsExactly(0);
  }

  @Test
  void attentionLossReadsEveryBlock() {
    assertThat(spec(0, DistillSpec.CosineLayers.LAST, 0, 0, 1).scoreBlocks()).containsExactly(1, 2);
  }

  @Test
  void relationsReadLastBlockOrAll() {
    DistillSpec last = relations(new Relations(1, 0, 1, 1, 8, DistillSpec.Blocks.LAST));
    DistillSpec all = relations(new Relations(1, 0, 0, 1, 8, DistillSpec.Blocks.ALL));

    assertThat(last.scoreBlocks()).containsExactly(2);
    assertThat(last.relationBlocks()).containsExactly(2);
    assertThat(last.relationParts()).containsExactly(AttentionPart.KEY, AttentionPart.VALUE);
    assertThat(all.scoreBlocks()).containsExactly(1, 2);
    assertThat(all.relationBlocks()).containsExactly(1, 2);
    assertThat(all.studentHidden()).isEmpty();
    assertThat(all.readsLayers()).isTrue();
  }

  @Test
  void attentionReadsNoRelations() {
    DistillSpec attention = relations(new Relations(1, 0, 0, 0, 8, DistillSpec.Blocks.ALL));

    assertThat(attention.relationBlocks()).isEmpty();
    assertThat(relations(Relations.NONE).readsLayers()).isFalse();
  }

  @Test
  void firstTokenLossReadsStatesBetweenFirstAndLast() {
    DistillSpec spec =
        new DistillSpec(
            List.of(0, 2, 4, 6),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
            0,
            new DistillSpec.Hidden(
                0, DistillSpec.CosineLayers.LAST, 0, 0, 1, DistillSpec.Projection.PER_LAYER),
            0,
            Relations.NONE);

    assertThat(spec.studentHidden()).containsExactly(1, 2);
    assertThat(spec.readsSquaredError(1)).isFalse();
  }

  @Test
  void statesHaveOwnOrSharedProjections() {
    assertThat(projections(DistillSpec.Projection.PER_LAYER))
        .containsExactly("projection.00.weight", "projection.01.weight", "projection.02.weight");
    assertThat(projections(DistillSpec.Projection.SHARED))
        .containsExactly(
            "projection.embedding.weight", "projection.hidden.weight", "projection.hidden.weight");
    assertThat(projections(DistillSpec.Projection.SINGLE)).containsOnly("projection.weight");
  }

  private static List<String> projections(DistillSpec.Projection projection) {
    DistillSpec spec =
        new DistillSpec(
            List.of(0, 3, 6),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
            0,
            new DistillSpec.Hidden(0, DistillSpec.CosineLayers.LAST, 1, 1, 0, projection),
            0,
            Relations.NONE);
    return spec.studentHidden().stream().map(spec::projection).toList();
  }

  private static DistillSpec relations(Relations relations) {
    return new DistillSpec(
        List.of(0, 3, 6),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        0,
        DistillSpec.Hidden.NONE,
        0,
        relations);
  }

  @Test
  void baselineLearnsOnlyFromHardLabels() {
    DistillSpec baseline = spec(1, DistillSpec.CosineLayers.ALL, 1, 1, 1).baseline();
    DistillSpec ofRelations =
        relations(new Relations(1, 1, 1, 1, 8, DistillSpec.Blocks.ALL)).baseline();

    assertThat(ofRelations.readsLayers()).isFalse();
    assertThat(ofRelations.hardLabel()).isEqualTo(1);
    assertThat(baseline.studentHidden()).isEmpty();
    assertThat(baseline.scoreBlocks()).isEmpty();
    assertThat(baseline.softLabel().weight()).isZero();
    assertThat(baseline.hardLabel()).isEqualTo(1);
    assertThat(baseline.layerMap()).containsExactly(0, 3, 6);
  }

  private static DistillSpec spec(
      double cosine,
      DistillSpec.CosineLayers layers,
      double mse,
      double embedding,
      double attention) {
    return new DistillSpec(
        List.of(0, 3, 6),
        new DistillSpec.SoftLabel(5, DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
        0.5,
        new DistillSpec.Hidden(cosine, layers, mse, embedding, 0, DistillSpec.Projection.PER_LAYER),
        attention,
        Relations.NONE);
  }
}
