package io.stillhouse.error;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecretsTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "TOKEN",
        "HF_TOKEN",
        "hf_token",
        "TOKEN_2",
        "AWS_SECRET_ACCESS_KEY",
        "API_KEY",
        "APIKEY",
        "DB_PASS",
        "PGPASSWORD",
        "DB_PASSWD",
        "GOOGLE_CREDENTIALS",
        "CREDENTIAL_FILE"
      })
  void findsSecretByWordOfItsName(String variable) {
    assertThat(Secrets.isSecret(variable)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "MAX_TOKENS",
        "TOKENIZER_DIR",
        "KEYBOARD",
        "MONKEY",
        "COMPASS",
        "PASSES",
        "EPOCHS"
      })
  void takesWordThatContainsSuchWordForNoSecret(String variable) {
    assertThat(Secrets.isSecret(variable)).isFalse();
  }

  @Test
  void hidesLongValuesOnly() {
    Secrets.remember("SHORT_TOKEN", "1234567");
    Secrets.remember("LONG_TOKEN", "12345678");

    assertThat(Secrets.hiddenIn("12345678, 1234567 rows")).isEqualTo("${LONG_TOKEN}, 1234567 rows");
  }
}
