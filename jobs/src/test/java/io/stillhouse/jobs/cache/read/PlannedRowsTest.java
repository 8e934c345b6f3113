package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How {@link PlannedReader} replaces rows without targets. */
class PlannedRowsTest {
  @Test
  void keepsRowsWithTargets() {
    assertThat(PlannedReader.replaceInvalid(List.of("a", "b"), 0)).containsExactly("a", "b");
  }

  @Test
  void repeatsPreviousRow() {
    assertThat(PlannedReader.replaceInvalid(Arrays.asList("a", null, null, "b"), 0))
        .containsExactly("a", "a", "a", "b");
  }

  @Test
  void startsWithFirstRowThatHasTargets() {
    assertThat(PlannedReader.replaceInvalid(Arrays.asList(null, null, "a", "b"), 0))
        .containsExactly("a", "a", "a", "b");
  }

  @Test
  void rejectsShardWithoutTargets() {
    assertThatThrownBy(() -> PlannedReader.replaceInvalid(Collections.nCopies(2, null), 7))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("no row of shard 7 has targets");
  }

  @Test
  void acceptsEmptyShard() {
    assertThat(PlannedReader.replaceInvalid(List.of(), 0)).isEmpty();
  }
}
