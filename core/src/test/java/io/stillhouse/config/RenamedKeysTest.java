package io.stillhouse.config;

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
    return Options.RENAMED.entrySet();
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void aRenamedKeyIsRefused(Map.Entry<String, String> key) {
    assertRefused(key.getKey() + "=1", key, "");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void aRenamedKeyIsRefusedInSweepOver(Map.Entry<String, String> key) {
    assertRefused("sweep.over." + key.getKey() + "=[1, 2]", key, " in sweep.over");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void aRenamedKeyIsRefusedInSweepStudents(Map.Entry<String, String> key) {
    assertRefused(
        "sweep.students=[{ name = a, %s = 1 }]".formatted(key.getKey()), key, " in sweep.students");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void aRenamedKeyIsRefusedInTrainStages(Map.Entry<String, String> key) {
    assertRefused(
        "train.stages=[{ name = a, %s = 1 }]".formatted(key.getKey()), key, " in train.stages");
  }

  @ParameterizedTest
  @MethodSource("renamed")
  void aRenamedKeyIsRefusedInLossTeachers(Map.Entry<String, String> key) {
    assertRefused(
        "loss.teachers=[{ name = b, teacher = c, %s = 1 }]".formatted(key.getKey()),
        key,
        " of teacher 'b' in loss.teachers");
  }

  private static void assertRefused(String argument, Map.Entry<String, String> key, String where) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(argument)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "'%s'%s was renamed to %s; use the new name"
                .formatted(key.getKey(), where, key.getValue()));
  }
}
