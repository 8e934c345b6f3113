package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DistillSpecTest {
  @Test
  void theCosineLossReadsTheLastStateOrAllButTheEmbeddings() {
    assertThat(spec(1, DistillSpec.CosineLayers.LAST, 0, 0, 0).studentHidden()).containsExactly(2);
    assertThat(spec(1, DistillSpec.CosineLayers.ALL, 0, 0, 0).studentHidden())
        .containsExactly(1, 2);
  }

  @Test
  void theEmbeddingOutputCarriesNoCosineLossEvenWhereItIsRead() {
    DistillSpec spec = spec(1, DistillSpec.CosineLayers.ALL, 0, 1, 0);

    assertThat(spec.studentHidden()).containsExactly(0, 1, 2);
    assertThat(spec.readsCosine(0)).isFalse();
    assertThat(spec.readsCosine(1)).isTrue();
  }

  @Test
  void theSquaredErrorsReadBlocksAndEmbeddingsApart() {
    assertThat(spec(0, DistillSpec.CosineLayers.ALL, 1, 0, 0).studentHidden())
        .containsExactly(1, 2);
    assertThat(spec(0, DistillSpec.CosineLayers.ALL, 0, 1, 0).studentHidden()).containsExactly(0);
  }

  @Test
  void theAttentionLossReadsEveryBlock() {
    assertThat(spec(0, DistillSpec.CosineLayers.LAST, 0, 0, 1).scoreBlocks()).containsExactly(1, 2);
  }

  @Test
  void theUndistilledTwinLearnsFromHardLabelsAlone() {
    DistillSpec twin = spec(1, DistillSpec.CosineLayers.ALL, 1, 1, 1).undistilled();

    assertThat(twin.studentHidden()).isEmpty();
    assertThat(twin.scoreBlocks()).isEmpty();
    assertThat(twin.softLabel().weight()).isZero();
    assertThat(twin.hardLabel()).isEqualTo(1);
    assertThat(twin.layerMap()).containsExactly(0, 3, 6);
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
        DistillSpec.Relations.NONE);
  }
}
