package io.stillhouse.jobs.storage;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import org.junit.jupiter.api.Test;

class SealTest {
  private static final String SEALED = Seal.seal("{\n  \"shard\": 7\n}\n");

  @Test
  void addsHashAsLastMember() {
    assertThat(SEALED)
        .matches("\\{\n {2}\"shard\": 7,\n {2}\"sha256\": \"[0-9a-f]{64}\"\n}\n")
        .contains(Seal.of(SEALED));
    assertThat(JsonParser.parseString(SEALED).getAsJsonObject().get("shard").getAsInt())
        .isEqualTo(7);
  }

  @Test
  void ignoresWhiteSpaceAroundObject() {
    assertThat(Seal.seal("  {\n  \"shard\": 7}")).isEqualTo(SEALED);
  }

  @Test
  void opensSealedText() {
    assertThat(Seal.open(SEALED)).isEqualTo(SEALED);
  }

  @Test
  void detectsEveryFlippedBit() {
    for (int at = 0; at < SEALED.length(); at++) {
      char flipped = (char) (SEALED.charAt(at) ^ 1);
      String changed = SEALED.substring(0, at) + flipped + SEALED.substring(at + 1);
      assertThat(Seal.open(changed)).as("character %d", at).isNull();
    }
  }

  @Test
  void detectsTruncation() {
    for (int length = 0; length < SEALED.length(); length++) {
      assertThat(Seal.open(SEALED.substring(0, length))).as("%d characters", length).isNull();
    }
  }

  @Test
  void detectsAppendedText() {
    assertThat(Seal.open(SEALED + "\n")).isNull();
  }
}
