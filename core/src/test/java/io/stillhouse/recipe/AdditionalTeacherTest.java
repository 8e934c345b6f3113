package io.stillhouse.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdditionalTeacherTest {
  private static final Head TWO = new Head(Task.CLASSIFICATION, List.of("negative", "positive"));

  @TempDir private Path directory;

  @Test
  void readsTeachersFromRecipeAndArgument() throws IOException {
    Path recipe =
        Files.writeString(
            directory.resolve("two.conf"),
            """
            cache.path = a
            loss.teachers = [
              { name = b, cache = "/caches/b" }
              { name = c, teacher = large, weight = 0.5, layer-map = [0, 2], terms = [soft-label, hidden-mse] }
            ]
            """);
    AdditionalTeacher b =
        new AdditionalTeacher("b", "/caches/b", "", 1, null, List.of("soft-label"));
    AdditionalTeacher c =
        new AdditionalTeacher(
            "c", "a", "large", 0.5, "[0, 2]", List.of("soft-label", "hidden-mse"));
    assertThat(AdditionalTeacher.of(Settings.parse(recipe, List.of()))).containsExactly(b, c);
    assertThat(AdditionalTeacher.of(settings("loss.teachers=[{ name = b, cache = /caches/b }]")))
        .containsExactly(b);
    assertThat(AdditionalTeacher.of(settings())).isEmpty();
  }

  @Test
  void reportsEveryProblemAtOnce() {
    assertThatThrownBy(
            () ->
                settings(
                    "loss.teachers=[{ cache = b, weigth = 1 }, { name = c }, { name = c, cache = b,"
                        + " weight = 0, layer-map = odd, terms = [hard-label] }]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a teacher of loss.teachers has no name")
        .hasMessageContaining(
            "unknown key 'weigth' of teacher '' in loss.teachers; did you mean 'weight'?")
        .hasMessageContaining("loss.teachers names 'c' twice")
        .hasMessageContaining("teacher 'c' in loss.teachers has neither cache nor teacher")
        .hasMessageContaining("teachers '' and 'c' in loss.teachers are the same teacher")
        .hasMessageContaining(
            "weight in teacher 'c' in loss.teachers must be a finite number > 0, but is '0'")
        .hasMessageContaining("layer-map in teacher 'c' in loss.teachers must be uniform, top")
        .hasMessageContaining(
            "terms in teacher 'c' in loss.teachers must be some of soft-label, hidden-cosine")
        .hasMessageContaining("but are '[hard-label]'");
  }

  @Test
  void furtherTeacherHasOwnTermsAndLayerMap() {
    Settings settings =
        settings(
            "loss.soft-label.weight=3",
            "loss.hard-label.weight=2",
            "loss.hidden-mse.weight=1",
            "loss.attention-mse.weight=1",
            "loss.teachers=[{ name = b, cache = b, terms = [soft-label, hidden-mse] }]");
    AdditionalTeacher b = AdditionalTeacher.of(settings).get(0);

    DistillSpec loss = loss(settings, model(12, 48, TWO), model(6, 48, TWO));

    assertThat(loss.layerMap()).containsExactly(0, 3, 6);
    assertThat(loss.softLabel().weight()).isEqualTo(3);
    assertThat(loss.hidden().mse()).isEqualTo(1);
    assertThat(loss.hardLabel()).isZero();
    assertThat(loss.attentionMse()).isZero();
    assertThat(b.tokenTerms(settings, Task.CLASSIFICATION)).containsExactly("hidden-mse");
    assertThat(b.tokenTerms(settings, Task.MASKED_LM)).containsExactly("soft-label", "hidden-mse");
  }

  @Test
  void softLabelsAllowAnyDepth() {
    Settings settings =
        settings(
            "loss.soft-label.weight=1",
            "loss.first-token-mse.weight=1",
            "loss.teachers=[{ name = b, cache = b }]");

    DistillSpec loss = loss(settings, model(12, 48, TWO), model(7, 64, TWO));

    assertThat(loss.readsLayers()).isFalse();
    assertThat(loss.softLabel().weight()).isEqualTo(1);
  }

  @Test
  void teacherOfAnotherDepthNeedsItsOwnLayerMap() {
    Settings settings =
        settings(
            "student.layer-map=[0, 5, 12]",
            "loss.hidden-mse.weight=1",
            "loss.teachers=[{ name = b, cache = b, terms = [hidden-mse] }]");

    assertThatThrownBy(() -> loss(settings, model(12, 48, TWO), model(6, 48, TWO)))
        .hasMessageContaining("teacher 'b' in loss.teachers has 6 layers and the first teacher 12")
        .hasMessageContaining("set its own layer-map");
    assertThat(loss(settings, model(12, 48, TWO), model(12, 48, TWO)).layerMap())
        .containsExactly(0, 5, 12);
  }

  @Test
  void reportsDifferentClasses() {
    Settings settings =
        settings("loss.soft-label.weight=1", "loss.teachers=[{ name = b, cache = b }]");
    Head other = new Head(Task.CLASSIFICATION, List.of("positive", "negative", "neutral"));

    assertThatThrownBy(() -> loss(settings, model(12, 48, TWO), model(12, 48, other)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("teacher 'b' in loss.teachers has different classes from the first")
        .hasMessageContaining("class 0 is 'positive', but 'negative' in the first teacher")
        .hasMessageContaining("class 2 is 'neutral', but missing in the first teacher");
    assertThatThrownBy(() -> loss(settings, model(12, 48, TWO), model(12, 48, Head.NONE)))
        .hasMessageContaining("has a NONE head and the first teacher a CLASSIFICATION head");
  }

  @Test
  void rejectsOtherWidthsOtherHeadsAndUnweightedTerms() {
    String all = "loss.teachers=[{ name = b, cache = b, terms = [hidden-mse, attention-mse] }]";
    Settings states = settings("loss.hidden-mse.weight=1", all);
    assertThatThrownBy(() -> loss(states, model(12, 48, TWO), model(12, 96, TWO)))
        .hasMessageContaining(
            "teacher 'b' in loss.teachers has hidden size 96 and the first teacher 48")
        .hasMessageContaining("remove hidden-mse");
    Settings scores = settings("loss.attention-mse.weight=1", all);
    EncoderSpec sixHeads =
        new EncoderSpec(
            new EncoderSpec.Embeddings(120, 40, 2, 0),
            new EncoderSpec.Blocks(12, 48, 6, 96),
            new EncoderSpec.Numerics(1e-12, 0, 0, 0),
            TWO);
    assertThatThrownBy(() -> loss(scores, model(12, 48, TWO), sixHeads))
        .hasMessageContaining(
            "teacher 'b' in loss.teachers: loss.attention-mse.weight needs the same number of"
                + " heads");
    Settings neither = settings("loss.soft-label.weight=1", all);
    assertThatThrownBy(() -> loss(neither, model(12, 48, TWO), model(12, 48, TWO)))
        .hasMessageContaining("takes part only in hidden-mse, attention-mse, whose weight is 0");
  }

  private static DistillSpec loss(Settings settings, EncoderSpec first, EncoderSpec other) {
    EncoderSpec student = model(2, 48, TWO);
    DistillSpec own = LossRecipe.loss(settings, student, first);
    return AdditionalTeacher.of(settings).get(0).loss(settings, student, first, own, other);
  }

  private static EncoderSpec model(int layers, int width, Head head) {
    return new EncoderSpec(
        new EncoderSpec.Embeddings(120, 40, 2, 0),
        new EncoderSpec.Blocks(layers, width, 12, 2 * width),
        new EncoderSpec.Numerics(1e-12, 0, 0, 0),
        head);
  }

  private static Settings settings(String... some) {
    List<String> all = new ArrayList<>(List.of("cache.path=a"));
    all.addAll(List.of(some));
    return Settings.parse(null, all);
  }
}
