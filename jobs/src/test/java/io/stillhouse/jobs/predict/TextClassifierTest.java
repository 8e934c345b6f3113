package io.stillhouse.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextClassifierTest {
  private static final Head CLASSES = new Head(Task.CLASSIFICATION, List.of("a", "b", "c"));

  @Test
  void answersWithLikeliestClassAndItsProbability() {
    float ln3 = (float) Math.log(3);

    assertThat(TextClassifier.prediction(CLASSES, "t", new float[] {0, ln3, 0}).answer())
        .isEqualTo("b 0.6000");
  }

  @Test
  void answersWithEveryTrueLabel() {
    Head labels = new Head(Task.MULTI_LABEL, List.of("a", "b", "c"));

    assertThat(TextClassifier.prediction(labels, "t", new float[] {1, -1, 0.5f}).answer())
        .isEqualTo("a 0.7311, c 0.6225");
    assertThat(TextClassifier.prediction(labels, "t", new float[] {-1, -1, -1}).answer())
        .isEqualTo("(no label)");
  }

  @Test
  void answersWithScoreOfRegression() {
    assertThat(TextClassifier.prediction(Head.REGRESSION, "t", new float[] {2.5f}).answer())
        .isEqualTo("2.5000");
  }

  @Test
  void largeLogitsDoNotOverflow() {
    assertThat(TextClassifier.prediction(CLASSES, "t", new float[] {0, 3000, 1000}).answer())
        .isEqualTo("b 1.0000");
  }

  @Test
  void predictionDoesNotDependOnOtherTexts() throws IOException {
    TextClassifier model = TextClassifier.open(Tiny.CLS.toString());
    TextClassifier.Prediction alone = model.predict(List.of("he was wed")).get(0);

    assertThat(model.predict(List.of("it is in the bing", "he was wed")).get(1)).isEqualTo(alone);
    assertThat(alone.labels().get(0).name()).startsWith("LABEL_");
  }

  @Test
  void rejectsModelWithoutTaskHead() {
    assertThatThrownBy(() -> TextClassifier.open(Tiny.MLM.toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no task head (its head is MASKED_LM)")
        .hasMessageContaining("name a fine-tuned teacher or one of its students");
  }

  @Test
  void rejectsBlankText() throws IOException {
    TextClassifier model = TextClassifier.open(Tiny.CLS.toString());

    assertThatThrownBy(() -> model.predict(List.of("he", " ")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("text 2 is empty");
  }
}
