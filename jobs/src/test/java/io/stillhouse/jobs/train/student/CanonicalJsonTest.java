package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CanonicalJsonTest {
  @Test
  void sortsKeys() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("b", 1);
    map.put("a", Map.of("d", true, "c", List.of()));

    assertThat(CanonicalJson.write(map)).isEqualTo("{\"a\":{\"c\":[],\"d\":true},\"b\":1}");
  }

  @Test
  void writesDoublesExactly() {
    assertThat(CanonicalJson.write(List.of(0.5, 3.0, 1e10, -0.25)))
        .isEqualTo("[0.5,3,10000000000,-0.25]");
    assertThat(CanonicalJson.write(0.1))
        .isEqualTo("0.1000000000000000055511151231257827021181583404541015625");
  }

  @Test
  void distinguishesNeighboringDoubles() {
    assertThat(CanonicalJson.write(Math.nextUp(1e-4))).isNotEqualTo(CanonicalJson.write(1e-4));
  }

  @Test
  void writesLongsWithoutExponent() {
    assertThat(CanonicalJson.write(Long.MAX_VALUE)).isEqualTo("9223372036854775807");
  }

  @Test
  void escapesTextAsJsonAndNotAsHtml() {
    assertThat(CanonicalJson.write("a \"quoted\" <tag>\n"))
        .isEqualTo("\"a \\\"quoted\\\" <tag>\\n\"");
  }

  @Test
  void writesNull() {
    assertThat(CanonicalJson.write(Arrays.asList("a", null))).isEqualTo("[\"a\",null]");
  }

  @Test
  void rejectsNumbersThatJsonCannotExpress() {
    assertThatThrownBy(() -> CanonicalJson.write(Double.NaN))
        .isInstanceOf(NumberFormatException.class);
  }

  @Test
  void rejectsOtherTypes() {
    assertThatThrownBy(() -> CanonicalJson.write(Thread.State.NEW))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no canonical JSON for class java.lang.Thread$State");
  }
}
