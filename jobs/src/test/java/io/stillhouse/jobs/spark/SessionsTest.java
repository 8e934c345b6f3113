package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("spark")
class SessionsTest {
  @Test
  void startUpEndsWithFirstSession() throws InterruptedException {
    Tiny.spark(); // the session that open returns
    Sessions.open("test", Settings.parse(null, List.of()));
    double seconds = Sessions.startUpSeconds();
    Thread.sleep(20);

    Sessions.open("test", Settings.parse(null, List.of()));

    assertThat(Sessions.startUpSeconds()).isPositive().isEqualTo(seconds);
  }
}
