package io.stillhouse.target;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The columns are part of the cache format, so a change of them is a change of its version. */
class TargetsTest {
  static List<Column> tensors() {
    return Stream.of(
            Targets.LOGITS, Targets.hidden(0), Targets.attention(12), Targets.valueRelations(3))
        .toList();
  }

  @Test
  void columnsMatchGoldenFile() throws IOException {
    assertThat(TargetsGolden.text())
        .as("raise Targets.VERSION if readers could misread new files; see core/CONTRIBUTING.md")
        .isEqualTo(Files.readString(TargetsGolden.FILE));
  }

  @ParameterizedTest
  @MethodSource("tensors")
  void tensorColumnIsFoundByItsName(Column column) {
    assertThat(Targets.named(column.name())).isEqualTo(column);
  }

  @Test
  void fileStartsWithKeyAndLength() {
    assertThat(Targets.withKey(List.of(Targets.LOGITS)))
        .containsExactly(Targets.ID, Targets.LENGTH, Targets.LOGITS);
  }
}
