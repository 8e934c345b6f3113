package io.stillhouse.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonParser;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The names of the classes in {@code config.json}. */
class ClassNamesOfConfigTest {
  private static final Path FILE = Path.of("teacher/config.json");

  @Test
  void readsNamesById() {
    assertThat(head("{id2label: {'1': 'pos', '0': 'neg'}}"))
        .isEqualTo(new Head(Task.CLASSIFICATION, List.of("neg", "pos")));
    assertThat(head("{id2label: {'0': 1, '1': 2.5, '2': true}}").labels())
        .containsExactly("1", "2.5", "true");
    assertThat(head("{problem_type: 'multi_label_classification', id2label: {'0': 'joy'}}"))
        .isEqualTo(new Head(Task.MULTI_LABEL, List.of("joy")));
  }

  @Test
  void namesClassesAsHuggingFaceDoesIfConfigDoesNot() {
    assertThat(head("{}").labels()).containsExactly("LABEL_0", "LABEL_1");
    assertThat(head("{num_labels: 3, id2label: null}").labels())
        .containsExactly("LABEL_0", "LABEL_1", "LABEL_2");
    assertThat(head("{num_labels: 1}")).isEqualTo(Head.REGRESSION);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{id2label: {'0': 'a', '2': 'b'}}",
        "{id2label: {'1': 'a', '2': 'b'}}",
        "{id2label: {'-1': 'a', '0': 'b'}}",
        "{id2label: {'0': 'a', '1': null}}",
        "{id2label: {'a': 0, 'b': 1}}",
      })
  void rejectsIdsWithHoles(String json) {
    assertThatThrownBy(() -> head(json))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("'teacher/config.json': id2label must name each id from 0 to 1")
        .hasMessageEndingWith("name every output of the classifier, in the order of its rows");
  }

  @Test
  void rejectsListAndUnknownNumber() {
    assertThatThrownBy(() -> head("{id2label: ['a', 'b']}"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("id2label must map ids to names");
    assertThatThrownBy(() -> head("{num_labels: 'two'}"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("num_labels must be a number");
  }

  private static Head head(String json) {
    return HuggingFaceConfig.classifier(
        new ConfigFile(FILE, JsonParser.parseString(json).getAsJsonObject()));
  }
}
