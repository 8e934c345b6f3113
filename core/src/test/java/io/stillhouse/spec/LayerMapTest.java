package io.stillhouse.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LayerMapTest {
  /** TinyBERT, arXiv:1909.10351: section 3.1 for uniform, section 4.4 for the others. */
  @Test
  void mapsFourToTwelveLayersLikeTinyBert() {
    assertThat(LayerMap.parse("uniform").teacherLayers(4, 12)).containsExactly(0, 3, 6, 9, 12);
    assertThat(LayerMap.parse("top").teacherLayers(4, 12)).containsExactly(0, 9, 10, 11, 12);
    assertThat(LayerMap.parse("bottom").teacherLayers(4, 12)).containsExactly(0, 1, 2, 3, 4);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uniform", "top", "bottom"})
  void equalDepthsMapLayerToLayer(String map) {
    assertThat(LayerMap.parse(map).teacherLayers(3, 3)).containsExactly(0, 1, 2, 3);
  }

  @ParameterizedTest
  @ValueSource(strings = {"[1, 5, 5, 2]", "[1,5,5,2]", " [ 1 , 5, 5,2 ] "})
  void keepsExplicitMap(String map) {
    assertThat(LayerMap.parse(map).teacherLayers(3, 12)).containsExactly(1, 5, 5, 2);
  }

  @Test
  void suggestsListIfUniformDoesNotDivide() {
    rejects(
        "uniform",
        5,
        12,
        "a uniform layer map needs teacher layers (12) to be a multiple of student layers (5); list"
            + " hidden states instead, such as student.layer-map=[0, 2, 5, 7, 10, 12]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"uniform", "top", "bottom"})
  void rejectsStudentDeeperThanItsTeacher(String map) {
    rejects(
        map,
        13,
        12,
        "student layers (13) must be from 1 to 12, the teacher's depth; lower student.layers, or"
            + " list hidden states in student.layer-map");
  }

  @Test
  void rejectsExplicitMapOfWrongLength() {
    rejects(
        "[3, 6, 9, 12]",
        4,
        12,
        "student.layer-map [3, 6, 9, 12] names 4 teacher hidden states, but a student of 4 layers"
            + " has 5 (0..4); list one for each, the first for the embedding output");
  }

  @Test
  void rejectsMissingHiddenState() {
    rejects(
        "[0, 6, 13]",
        2,
        12,
        "student.layer-map [0, 6, 13] names hidden state 13, but the teacher has 0..12; list one of"
            + " those");
  }

  @Test
  void rejectsBlockMappedToEmbeddingOutput() {
    rejects(
        "[0, 0, 12]",
        2,
        12,
        "student.layer-map [0, 0, 12] maps student block 1 to hidden state 0, the teacher's"
            + " embedding output, which has no attention scores; map blocks to 1..12");
  }

  private static void rejects(String map, int student, int teacher, String message) {
    assertThatThrownBy(() -> LayerMap.parse(map).teacherLayers(student, teacher))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }
}
