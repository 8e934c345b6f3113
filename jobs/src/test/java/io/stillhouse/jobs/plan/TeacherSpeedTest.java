package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Passes of a teacher of 10 tokens a second in each of 4 slots, over shards of 100 tokens. */
class TeacherSpeedTest {
  private static final TeacherProbe.Speed SPEED = new TeacherProbe.Speed(10, 4);

  @Test
  void fourSlotsHaveFourTimesRate() {
    assertThat(SPEED.rate()).isEqualTo(40);
  }

  @Test
  void eachFullWaveTakesTimeOfOneShard() {
    assertThat(SPEED.passSeconds(800, 100)).isEqualTo(20);
  }

  @Test
  void partialWaveTakesTimeOfOneShard() {
    assertThat(SPEED.passSeconds(500, 100)).isEqualTo(20);
  }

  @Test
  void lastWaveOfShortShardTakesTimeOfThatShard() {
    assertThat(SPEED.passSeconds(430, 100)).isEqualTo(13);
  }

  @Test
  void corpusSmallerThanShardTakesItsOwnTime() {
    assertThat(SPEED.passSeconds(50, 100)).isEqualTo(5);
  }
}
