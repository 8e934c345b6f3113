package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.List;
import org.junit.jupiter.api.Test;

class LossRecipeTest {
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(30522, 512, 2, 0),
          new EncoderSpec.Blocks(12, 768, 12, 3072),
          new EncoderSpec.Numerics(1e-12, 0.2, 0.2, 0.2),
          Head.MASKED_LM);

  @Test
  void readsEveryLossWeight() {
    DistillSpec loss =
        loss(
            "student.layers=4",
            "loss.soft-label.weight=5",
            "loss.soft-label.kind=mse",
            "loss.soft-label.temperature=3",
            "loss.soft-label.positions=masked",
            "loss.hard-label.weight=2",
            "loss.hidden-cosine.weight=1",
            "loss.hidden-cosine.layers=all",
            "loss.hidden-mse.weight=0.5",
            "loss.embedding-mse.weight=0.25",
            "loss.first-token-mse.weight=100",
            "loss.projection=shared",
            "loss.attention-mse.weight=0.125",
            "loss.attention-kl.weight=6",
            "loss.query-relation.weight=7",
            "loss.key-relation.weight=8",
            "loss.value-relation.weight=9",
            "loss.relation.heads=48",
            "loss.relation.layers=all");

    assertThat(loss)
        .isEqualTo(
            new DistillSpec(
                List.of(0, 3, 6, 9, 12),
                new DistillSpec.SoftLabel(5, DistillSpec.Kind.MSE, 3, DistillSpec.Positions.MASKED),
                2,
                new DistillSpec.Hidden(
                    1, DistillSpec.CosineLayers.ALL, 0.5, 0.25, 100, DistillSpec.Projection.SHARED),
                0.125,
                new DistillSpec.Relations(6, 7, 8, 9, 48, DistillSpec.Blocks.ALL)));
  }

  @Test
  void classWeightsAreListedOrBalanced() {
    Head head = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
    long[] rows = {30, 10};

    assertThat(LossRecipe.classWeights(settings(), head, () -> rows)).isEmpty();
    assertThat(
            LossRecipe.classWeights(
                settings("loss.hard-label.class-weights=[1, 2.5]"), head, () -> rows))
        .containsExactly(1.0, 2.5);
    Settings balanced = settings("loss.hard-label.class-weights=balanced");
    // Over all rows their mean is 1: (30 x 2/3 + 10 x 2) / 40.
    assertThat(LossRecipe.classWeights(balanced, head, () -> rows)).containsExactly(40.0 / 60, 2.0);
    assertThatThrownBy(() -> LossRecipe.classWeights(balanced, head, () -> new long[] {30}))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.hard-label.class-weights is balanced, but class 'yes' has no rows; list the"
                + " weights, or leave them empty");
    assertThatThrownBy(
            () ->
                LossRecipe.classWeights(
                    settings("loss.hard-label.class-weights=[1, 2, 3]"), head, () -> rows))
        .hasMessageContaining("lists 3 weights, but there are 2 classes [no, yes]");
    for (String bad : List.of("[1, heavy]", "[0, -1]", "[0, 0]")) {
      assertThatThrownBy(() -> settings("loss.hard-label.class-weights=" + bad))
          .isInstanceOf(StillhouseException.class)
          .hasMessage(
              format(
                  "loss.hard-label.class-weights must be balanced, or a list of numbers >= 0, not"
                      + " all 0, such as [1, 2.5], but is '%s'",
                  bad));
    }
    assertThat(
            LossRecipe.classWeights(
                settings("loss.hard-label.class-weights=[0, 1]"), head, () -> rows))
        .containsExactly(0.0, 1.0);
  }

  @Test
  void comparesScoresBySquaredError() {
    EncoderSpec scores = TEACHER.withHead(Head.REGRESSION);
    String[] recipe = {"student.layers=4", "loss.soft-label.weight=1"};

    assertThat(LossRecipe.loss(settings(recipe), scores, scores).softLabel().kind())
        .isEqualTo(DistillSpec.Kind.MSE);
    assertThat(LossRecipe.loss(settings(recipe), TEACHER, TEACHER).softLabel().kind())
        .isEqualTo(DistillSpec.Kind.KL);
    assertThatThrownBy(
            () ->
                LossRecipe.loss(
                    settings("loss.soft-label.kind=kl", recipe[0], recipe[1]), scores, scores))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the single score of a regression has no distribution");
  }

  @Test
  void rejectsUniformMapThatDoesNotDivideEvenly() {
    assertThatThrownBy(() -> loss("student.layers=5", "loss.soft-label.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "a uniform layer map needs teacher layers (12) to be a multiple of student layers (5);"
                + " list hidden states instead, such as student.layer-map=[0, 2, 5, 7, 10, 12]");
  }

  @Test
  void rejectsDifferentHeadCountWithAttentionLoss() {
    assertThatThrownBy(
            () -> loss("student.layers=4", "student.heads=6", "loss.attention-mse.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.attention-mse.weight needs the same number of heads, but the student has 6 and"
                + " the teacher 12; set student.heads=12, or the weight to 0");
  }

  @Test
  void rejectsDifferentHeadCountWithMiniLmLosses() {
    assertThatThrownBy(
            () ->
                loss(
                    "student.layers=4",
                    "student.heads=6",
                    "loss.attention-kl.weight=1",
                    "loss.value-relation.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "loss.attention-kl.weight needs the same number of heads, but the student has 6 and the"
                + " teacher 12; set student.heads=12, or the weight to 0")
        .hasMessageContaining(
            "loss.relation.heads is 0, the models' own heads, but the student has 6 and the teacher"
                + " 12; set it to a number that divides both widths, 768 and 768");
  }

  @Test
  void relationHeadsAllowDifferentShapeOfStudent() {
    DistillSpec loss =
        loss(
            "student.layers=6",
            "student.hidden-size=384",
            "student.heads=6",
            "loss.query-relation.weight=1",
            "loss.value-relation.weight=1",
            "loss.relation.heads=48");

    assertThat(loss.relationBlocks()).containsExactly(6);
    assertThat(loss.relationParts()).containsExactly(AttentionPart.QUERY, AttentionPart.VALUE);
    assertThat(loss.scoreBlocks()).isEmpty();
    assertThat(loss.studentHidden()).isEmpty();
  }

  @Test
  void rejectsRelationHeadsThatDoNotDivideBothWidths() {
    assertThatThrownBy(
            () ->
                loss(
                    "student.layers=4",
                    "student.hidden-size=312",
                    "loss.key-relation.weight=1",
                    "loss.relation.heads=48"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.relation.heads (48) must divide both widths, 312 and 768; change one of them");
  }

  @Test
  void zeroRelationHeadsMeanHeadsOfModel() {
    DistillSpec loss = loss("student.layers=4", "loss.value-relation.weight=1");

    assertThat(loss.relations().heads()).isEqualTo(12);
  }

  @Test
  void rejectsFirstTokenLossForOneLayer() {
    assertThatThrownBy(() -> loss("student.layers=1", "loss.first-token-mse.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.first-token-mse.weight excludes the last hidden state, but a student of 1 layer"
                + " has no other; set it to 0, or student.layers to 2 or more");
  }

  @Test
  void allowsDifferentHeadCountWithoutAttentionLoss() {
    DistillSpec loss = loss("student.layers=4", "student.heads=6", "loss.hidden-mse.weight=1");

    assertThat(loss.scoreBlocks()).isEmpty();
    assertThat(loss.studentHidden()).containsExactly(1, 2, 3, 4);
  }

  @Test
  void rejectsLossWithoutWeight() {
    assertThatThrownBy(() -> loss("student.layers=4"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("every loss weight is 0; set at least one, such as loss.soft-label.weight=1");
  }

  @Test
  void rejectsLabelLossesForTeacherWithoutHead() {
    EncoderSpec bare = TEACHER.withHead(Head.NONE);
    Settings settings = settings("student.layers=4", "loss.hard-label.weight=1");

    assertThatThrownBy(() -> LossRecipe.loss(settings, Recipe.encoder(settings, bare), bare))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.soft-label.weight and loss.hard-label.weight must be 0 for a teacher without a"
                + " head; fine-tune it, or distill from hidden states and attention");
  }

  @Test
  void rejectsAttentionLossesWithPrunedHeads() {
    assertThat(
            loss(
                    "student.layers=4",
                    "student.head-importance=heads.json",
                    "student.pruned-heads=0.5",
                    "loss.soft-label.weight=1",
                    "loss.hidden-mse.weight=1")
                .readsLayers())
        .isTrue();
    assertThatThrownBy(
            () ->
                loss(
                    "student.layers=4",
                    "student.head-importance=heads.json",
                    "student.pruned-heads=0.5",
                    "loss.attention-mse.weight=1",
                    "loss.attention-kl.weight=2",
                    "loss.value-relation.weight=3"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            3 problems:
              - loss.attention-mse.weight is 1.0, but pruned heads have no attention to compare with the teacher's; set it to 0, or student.pruned-heads=0
              - loss.attention-kl.weight is 2.0, but pruned heads have no attention to compare with the teacher's; set it to 0, or student.pruned-heads=0
              - loss.value-relation.weight is 3.0, but pruned heads have no attention to compare with the teacher's; set it to 0, or student.pruned-heads=0\
            """);
  }

  @Test
  void rejectsPruningWithoutImportancesOrFromRandomWeights() {
    assertThatThrownBy(
            () ->
                loss(
                    "student.layers=4",
                    "student.init=random",
                    "student.pruned-heads=0.5",
                    "loss.soft-label.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            2 problems:
              - student.pruned-heads is 0.5, but student.head-importance is empty; run the head-importance command and name its output, or set student.pruned-heads=0
              - student.pruned-heads is 0.5, but student.init is random, and heads of random weights are equally important; set student.init=teacher, or student.pruned-heads=0\
            """);
  }

  private static Settings settings(String... arguments) {
    return Settings.parse(null, List.of(arguments));
  }

  private static DistillSpec loss(String... arguments) {
    Settings settings = settings(arguments);
    return LossRecipe.loss(settings, Recipe.encoder(settings, TEACHER), TEACHER);
  }
}
