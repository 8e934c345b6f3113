package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class DeadlineTest {
  private static final double PLENTY = 1000;

  @Test
  void returnsResultOfPhaseInTime() throws IOException {
    try (Deadline deadline = new Deadline(PLENTY, () -> {})) {
      assertThat(deadline.<Integer>run("rows were counted", () -> 3)).isEqualTo(3);
    }
  }

  @Test
  void addsUpTimeOfPhasesWithSameName() throws IOException {
    try (Deadline deadline = new Deadline(PLENTY, () -> {})) {
      deadline.<Integer>run("one", () -> 1);
      deadline.<Integer>run("two", () -> 2);
      deadline.<Integer>run("one", () -> 1);

      assertThat(deadline.phases()).containsOnlyKeys("one", "two");
    }
  }

  @Test
  void rethrowsExceptionOfPhase() {
    try (Deadline deadline = new Deadline(PLENTY, () -> {})) {
      IOException failure = new IOException("lost");

      assertThatThrownBy(
              () ->
                  deadline.run(
                      "one",
                      () -> {
                        throw failure;
                      }))
          .isSameAs(failure);
    }
  }

  @Test
  void cancelsAndReportsCurrentPhase() {
    CountDownLatch cancelled = new CountDownLatch(1);
    try (Deadline deadline = new Deadline(0.02, cancelled::countDown)) {
      assertThatThrownBy(
              () ->
                  deadline.run(
                      "rows were counted",
                      () -> {
                        awaitQuietly(cancelled);
                        throw new IOException("cancelled");
                      }))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("did not finish within 0 seconds (plan.seconds)")
          .hasMessageContaining("time ran out while rows were counted")
          .hasMessageContaining("give it more time")
          .hasRootCauseMessage("cancelled");
    }
  }

  @Test
  void startsNoPhaseAfterDeadline() {
    try (Deadline deadline = new Deadline(0, () -> {})) {
      assertThat(deadline.left()).isZero();
      assertThatThrownBy(
              () ->
                  deadline.run(
                      "rows were counted",
                      () -> {
                        throw new AssertionError("began");
                      }))
          .isInstanceOf(StillhouseException.class);
    }
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
