package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RowKeyTest {
  private static final RowKey ROW = key("a premise that three rows have", "it rains");

  @Test
  void comparesBothTexts() {
    assertThat(ROW.sameText(key("a premise that three rows have", "it rains"))).isTrue();
    assertThat(ROW.sameText(key("a premise that three rows have", "it is dry"))).isFalse();
    assertThat(ROW.sameText(key("another premise", "it rains"))).isFalse();
  }

  @Test
  void comparesWholeText() {
    assertThat(ROW.sameText(key("a premise that three rows lack", "it rains"))).isFalse();
  }

  @Test
  void acceptsTruncatedText() {
    assertThat(ROW.sameText(key("a premise", "it"))).isTrue();
    assertThat(key("a premise", "it").sameText(ROW)).isTrue();
  }

  @Test
  void acceptsRowsWithoutSecondText() {
    assertThat(key("one", null).sameText(key("one", null))).isTrue();
  }

  @Test
  void distinguishesMissingSecondText() {
    assertThat(key("one", "two").sameText(key("one", null))).isFalse();
    assertThat(key("one", null).sameText(key("one", "two"))).isFalse();
  }

  @Test
  void hashesTokensAndMaskedPositions() {
    assertThat(tokens(new byte[] {1, 2}, null)).isEqualTo(tokens(new byte[] {1, 2}, null));
    assertThat(tokens(new byte[] {1, 2}, null)).isNotEqualTo(tokens(new byte[] {1, 3}, null));
    assertThat(tokens(new byte[] {1, 2}, null))
        .isNotEqualTo(tokens(new byte[] {1}, new byte[] {2}));
  }

  @Test
  void rowWithStatusHasNoTokens() {
    RowKey row = RowKey.of(new Object[] {"k", "empty", "", null}, false);

    assertThat(row.hasTokens()).isFalse();
    assertThat(row.hasTargets()).isFalse();
  }

  @Test
  void invalidRowHasNoTargets() {
    RowKey row = RowKey.of(new Object[] {"k", null, "text", null}, true);

    assertThat(row.hasTokens()).isTrue();
    assertThat(row.hasTargets()).isFalse();
  }

  private static RowKey key(String text, @Nullable String pair) {
    return RowKey.of(new Object[] {"k", null, text, pair}, false);
  }

  private static long tokens(byte[] ids, byte @Nullable [] labels) {
    return RowKey.of(new Object[] {"k", null, "text", null, ids, labels}, false).tokens();
  }
}
