package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class CasingTest {
  @Test
  void findsCapitalizedWordOfAnyScript() {
    assertThat(Casing.capitalized(List.of("the", "The"))).hasValue("The");
    assertThat(Casing.capitalized(List.of("και", "Και"))).hasValue("Και");
    assertThat(Casing.capitalized(List.of("привет", "Привет"))).hasValue("Привет");
    assertThat(Casing.capitalized(List.of("U\u0308ber"))).hasValue("U\u0308ber");
  }

  @Test
  void ignoresSymbolsThatHaveNoLowerCase() {
    // bert-base-uncased contains both.
    assertThat(Casing.capitalized(List.of("the", "ℝ", "##ℝ"))).isEmpty();
  }

  @Test
  void ignoresSpecialTokensAndLettersWithoutWord() {
    assertThat(
            Casing.capitalized(
                List.of("[PAD]", "[Unused1]", "<Url>", "A", "##The", "ᎠᎡ", "Ⅷ", "", "中")))
        .isEmpty();
  }
}
