package io.stillhouse.jobs.monitor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class MetricsTest {
  @BeforeEach
  void clears() {
    Metrics.clear();
  }

  @Test
  void writesValuesUnderTheirLabels() {
    Metrics.set(Metric.TRAIN_LOSS, 1.5, "a");
    Metrics.set(Metric.TRAIN_LOSS, Double.NaN, "b \"quoted\" \\");
    Metrics.add(Metric.CACHE_ROWS_TOTAL, 2);
    Metrics.add(Metric.CACHE_ROWS_TOTAL, 40);
    assertThat(Metrics.page())
        .isEqualTo(
            """
            # HELP stillhouse_cache_rows_total Rows that this command has cached, in finished shards.
            # TYPE stillhouse_cache_rows_total counter
            stillhouse_cache_rows_total 42
            # HELP stillhouse_train_loss Weighted sum of the loss terms at the newest step.
            # TYPE stillhouse_train_loss gauge
            stillhouse_train_loss{student="a"} 1.5
            stillhouse_train_loss{student="b \\"quoted\\" \\\\"} NaN
            """);
  }

  @Test
  void writesInfinitiesAsPrometheusDoes() {
    Metrics.set(Metric.TRAIN_LOSS, Double.POSITIVE_INFINITY, "a");
    assertThat(Metrics.page()).endsWith("{student=\"a\"} +Inf\n");
  }

  @Test
  void rejectsMissingLabel() {
    assertThatThrownBy(() -> Metrics.set(Metric.TRAIN_LOSS, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("TRAIN_LOSS has the labels [student], but was given []");
  }

  @Test
  void countersEndInTotal() {
    for (Metric metric : Metric.values()) {
      assertThat(metric.type().equals("counter"))
          .as(metric.fullName())
          .isEqualTo(metric.fullName().endsWith("_total"));
    }
  }
}
