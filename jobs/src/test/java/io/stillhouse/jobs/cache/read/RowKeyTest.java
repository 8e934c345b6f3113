package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RowKeyTest {
  @Test
  void bothTextsOfAPairTellWhetherItIsTheSameRow() {
    RowKey row = key("a premise that three rows have", "it rains");

    assertThat(row.sameText(key("a premise that three rows have", "it rains"))).isTrue();
    assertThat(row.sameText(key("a premise that three rows have", "it is dry"))).isFalse();
    assertThat(row.sameText(key("another premise", "it rains"))).isFalse();
    // Alike as far as the beginning goes, and as long.
    assertThat(row.sameText(key("a premise that three rows lack", "it rains"))).isFalse();
    // Of a text that was cut there is the beginning.
    assertThat(row.sameText(key("a premise", "it"))).isTrue();
    assertThat(key("one", null).sameText(key("one", null))).isTrue();
    // A table that was once read without its second column.
    assertThat(key("one", "two").sameText(key("one", null))).isFalse();
    assertThat(key("one", null).sameText(key("one", "two"))).isFalse();
  }

  private static RowKey key(String text, @Nullable String pair) {
    return RowKey.of(new Object[] {"k", null, text, pair}, false);
  }
}
