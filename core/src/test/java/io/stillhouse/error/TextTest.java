package io.stillhouse.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextTest {

  @ParameterizedTest
  @ValueSource(strings = {"fa-IR", "ar-EG", "tr-TR", "de-DE", "ne-NP", "mr-IN", "bn-BD", "my-MM"})
  void formatsNumbersInEveryLocaleAlike(String locale) {
    Locale own = Locale.getDefault();
    try {
      Locale.setDefault(Locale.forLanguageTag(locale));
      assertThat(Text.format("step-%09d %,d %.3f %s %X", 12, 1_234_567, 0.5, 0.25, 0xabc))
          .isEqualTo("step-000000012 1,234,567 0.500 0.25 ABC");
    } finally {
      Locale.setDefault(own);
    }
  }
}
