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

  @ParameterizedTest
  @ValueSource(
      strings = {
        "fs.s3a.secret.key",
        "fs.s3a.access.key",
        "fs.s3a.bucket.logs.secret.key",
        "fs.s3a.session.token",
        "fs.azure.account.key.name.blob.core.windows.net",
        "fs.azure.sas.container.name.blob.core.windows.net",
        "fs.azure.account.oauth2.client.secret",
        "javax.jdo.option.ConnectionPassword"
      })
  void findsSecretConfigurationKey(String key) {
    assertThat(Secrets.isSecretKey(key)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "fs.s3a.aws.credentials.provider",
        "hadoop.http.authentication.signature.secret.file",
        "dfs.namenode.delegation.key.update-interval",
        "spark.sql.shuffle.partitions"
      })
  void takesKeyAboutSecretsForNoSecret(String key) {
    assertThat(Secrets.isSecretKey(key)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "https://user:pass1@host/rows.tsv",
        "s3a://AKIA:abc+def@bucket/rows",
        "https://host/rows.tsv?sv=2024&sig=abc%2Fdef",
        "https://host/rows.tsv?X-Amz-Signature=0123abcd"
      })
  void hidesCredentialsInUrl(String url) {
    assertThat(Secrets.areInUrl(url)).isTrue();
    assertThat(Secrets.hiddenIn("cannot read '" + url + "'"))
        .contains("***")
        .doesNotContain("pass1", "AKIA", "abc", "0123")
        .startsWith("cannot read '")
        .endsWith("'");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "abfs://container@account.dfs.core.windows.net/rows",
        "hdfs://user@host:8020/rows",
        "spark://host:7077, https://host/?page=2",
        "file:///rows.tsv"
      })
  void leavesOtherUrls(String url) {
    assertThat(Secrets.areInUrl(url)).isFalse();
    assertThat(Secrets.hiddenIn(url)).isEqualTo(url);
  }

  @Test
  void hidesLongValuesOnly() {
    Secrets.remember("SHORT_TOKEN", "1234567");
    Secrets.remember("LONG_TOKEN", "12345678");

    assertThat(Secrets.hiddenIn("12345678, 1234567 rows")).isEqualTo("${LONG_TOKEN}, 1234567 rows");
  }
}
