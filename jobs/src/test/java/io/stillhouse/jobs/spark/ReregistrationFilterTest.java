package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.Filter;
import org.apache.logging.log4j.core.impl.Log4jLogEvent;
import org.apache.logging.log4j.message.SimpleMessage;
import org.junit.jupiter.api.Test;

class ReregistrationFilterTest {
  private final ReregistrationFilter filter = new ReregistrationFilter();

  @Test
  void dropsFailedReregistrationOfLocalExecutor() {
    Exception cause =
        new IllegalStateException(
            "Cannot find endpoint: spark://CoarseGrainedScheduler@192.0.2.2:39079");

    assertThat(
            filter.filter(event(new RuntimeException("Exception thrown in awaitResult: ", cause))))
        .isEqualTo(Filter.Result.DENY);
  }

  @Test
  void keepsOtherErrors() {
    assertThat(filter.filter(event(new RuntimeException("Cannot find endpoint: spark://other@x"))))
        .isEqualTo(Filter.Result.NEUTRAL);
    assertThat(filter.filter(event(new RuntimeException()))).isEqualTo(Filter.Result.NEUTRAL);
    assertThat(filter.filter(event(null))).isEqualTo(Filter.Result.NEUTRAL);
  }

  private static Log4jLogEvent event(Throwable thrown) {
    return Log4jLogEvent.newBuilder()
        .setLevel(Level.ERROR)
        .setMessage(new SimpleMessage("Ignoring error"))
        .setThrown(thrown)
        .build();
  }
}
