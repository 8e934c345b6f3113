package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BiLstmRecipeTest {
  private static final Head SENTIMENT = new Head(Task.CLASSIFICATION, List.of("no", "yes"));
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(30522, 512, 2, 0),
          new EncoderSpec.Blocks(12, 768, 12, 3072),
          new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
          SENTIMENT);

  @Test
  void biLstmHasWordTableAndHeadOfTeacher() {
    assertThat(student("student.hidden-size=300", "student.dropout=0.2"))
        .isEqualTo(
            new BiLstmSpec(
                new BiLstmSpec.Words(30522, 768),
                new BiLstmSpec.Units(300, 400),
                0.2,
                BiLstmSpec.Texts.SINGLE,
                SENTIMENT));
  }

  @Test
  void readsPairsIfCorpusHasThem() {
    BiLstmSpec pairs =
        student("student.hidden-size=150", "student.intermediate-size=7", "corpus.pair=b");

    assertThat(pairs.texts()).isEqualTo(BiLstmSpec.Texts.PAIR);
    assertThat(pairs.units()).isEqualTo(new BiLstmSpec.Units(150, 7));
    assertThat(pairs.parameters().get("dense.weight")).containsExactly(7, 1200);
    assertThat(student("student.hidden-size=150").parameters().get("dense.weight"))
        .containsExactly(200, 300);
  }

  @Test
  void wordVectorsKeepWidthOfTheirSource() {
    String hidden = "student.hidden-size=8";
    assertThat(width(hidden, "student.word-vectors=random")).isEqualTo(300);
    assertThat(width(hidden, "student.word-vectors=random", "student.word-vector-size=50"))
        .isEqualTo(50);
    assertThat(width(hidden, "student.word-vectors=glove.txt")).isEqualTo(100);
    assertThat(width(hidden, "student.word-vector-size=768")).isEqualTo(768);
    assertThatThrownBy(() -> width(hidden, "student.word-vector-size=300"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.word-vector-size is 300, but the vectors of student.word-vectors"
                + " 'teacher' have width 768; remove the key, or set student.word-vectors=random");
  }

  @Test
  void reportsEverySettingThatBiLstmLacks() {
    assertThatThrownBy(
            () ->
                student(
                    "student.layers=2",
                    "student.heads=12",
                    "student.init=somewhere",
                    "student.init-layers=[1]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            5 problems:
              - student.hidden-size of a BiLSTM must be > 0, but is '0'; set it to the hidden units of one direction, such as 300
              - student.layers is 2, but a BiLSTM has one layer; remove the key, or set it to 1
              - student.heads is 12, but a BiLSTM has no attention; remove the key, or set it to 0
              - student.init is 'somewhere', but the layers of a BiLSTM are initialized at random; remove the key, and choose word vectors with student.word-vectors
              - student.init-layers is [1], but a BiLSTM has no blocks; remove the key\
            """
                .stripIndent());
  }

  @Test
  void rejectsTeacherWithoutTaskLogits() {
    for (Head head : List.of(Head.MASKED_LM, Head.NONE)) {
      EncoderSpec teacher = TEACHER.withHead(head);
      assertThatThrownBy(
              () ->
                  Recipe.student(
                      settings("student.hidden-size=8"), teacher, BiLstmRecipeTest::width))
          .isInstanceOf(StillhouseException.class)
          .hasMessage(
              format(
                  "a BiLSTM predicts classes or a score, but the teacher %s; use a teacher trained"
                      + " by finetune",
                  head.equals(Head.NONE) ? "has no head" : "is a masked LM"));
    }
  }

  @Test
  void learnsOnlyFromLogitsAndLabels() {
    DistillSpec loss = loss("loss.soft-label.weight=1", "loss.soft-label.kind=mse");

    assertThat(loss.layerMap()).isEmpty();
    assertThat(loss.studentHidden()).isEmpty();
    assertThat(loss.scoreBlocks()).isEmpty();
    assertThat(loss.softLabel().kind()).isEqualTo(DistillSpec.Kind.MSE);
    assertThat(loss.baseline().hardLabel()).isEqualTo(1);
  }

  @Test
  void rejectsEveryTermThatReadsLayers() {
    assertThatThrownBy(
            () ->
                loss(
                    "loss.hidden-cosine.weight=1",
                    "loss.hidden-mse.weight=1",
                    "loss.embedding-mse.weight=1",
                    "loss.attention-mse.weight=1",
                    "student.layer-map=[0, 12]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("5 problems:")
        .hasMessageContaining(
            "loss.hidden-cosine.weight is 1.0, but a BiLSTM has no layers to compare with its"
                + " teacher's; set it to 0, and set loss.soft-label.weight")
        .hasMessageContaining("loss.hidden-mse.weight is 1.0")
        .hasMessageContaining("loss.embedding-mse.weight is 1.0")
        .hasMessageContaining("loss.attention-mse.weight is 1.0")
        .hasMessageContaining(
            "student.layer-map is [0, 12], but a BiLSTM has no layers to map; remove the key");
    assertThatThrownBy(() -> loss())
        .isInstanceOf(StillhouseException.class)
        .hasMessage("every loss weight is 0; set at least one, such as loss.soft-label.weight=1");
  }

  @Test
  void onlyEncoderNeedsStudentLayers() {
    Recipe.requireStudent(settings());
    assertThatThrownBy(() -> Recipe.requireStudent(Settings.parse(null, List.of())))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("student.layers is missing (");
  }

  private static Settings settings(String... arguments) {
    List<String> all = new ArrayList<>(List.of("student.architecture=bilstm"));
    all.addAll(List.of(arguments));
    return Settings.parse(null, all);
  }

  private static int width(String file) {
    assertThat(file).isEqualTo("glove.txt");
    return 100;
  }

  private static BiLstmSpec student(String... arguments) {
    ModelSpec student = Recipe.student(settings(arguments), TEACHER, BiLstmRecipeTest::width);
    return (BiLstmSpec) student;
  }

  private static int width(String... arguments) {
    return student(arguments).words().vectorSize();
  }

  private static DistillSpec loss(String... arguments) {
    return LossRecipe.loss(settings(arguments), student("student.hidden-size=300"), TEACHER);
  }
}
