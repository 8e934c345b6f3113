package io.stillhouse.config;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every old key is refused with its new name, wherever a recipe can contain keys. */
class RenamedKeysTest {
  static Set<Map.Entry<String, String>> renamed() {
    return Keys.RENAMED.entrySet();
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void rejectsRenamedKey(Map.Entry<String, String> key) {
    assertRejected(key.getKey() + "=1", key, "");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void rejectsRenamedKeyInSweepOver(Map.Entry<String, String> key) {
    assertRejected("sweep.over." + key.getKey() + "=[1, 2]", key, " in sweep.over");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void rejectsRenamedKeyInSweepStudents(Map.Entry<String, String> key) {
    assertRejected(
        format("sweep.students=[{ name = a, %s = 1 }]", key.getKey()), key, " in sweep.students");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void rejectsRenamedKeyInTrainStages(Map.Entry<String, String> key) {
    assertRejected(
        format("train.stages=[{ name = a, %s = 1 }]", key.getKey()), key, " in train.stages");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void rejectsRenamedKeyInLossTeachers(Map.Entry<String, String> key) {
    assertRejected(
        format("loss.teachers=[{ name = b, teacher = c, %s = 1 }]", key.getKey()),
        key,
        " of teacher 'b' in loss.teachers");
  }

  private static void assertRejected(String argument, Map.Entry<String, String> key, String where) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(argument)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            format(
                "'%s'%s was renamed to %s; use the new name", key.getKey(), where, key.getValue()));
  }
}
