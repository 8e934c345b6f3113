package io.stillhouse.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BaselineTest {
  @Test
  void isNamedAfterStudent() {
    assertThat(Baseline.name("layers-2")).isEqualTo("layers-2-baseline");
  }

  @Test
  void hasShortNameBesideDefaultStudent() {
    assertThat(Baseline.name("distilled")).isEqualTo("baseline");
  }
}
