package io.stillhouse.jobs.train.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.train.Steps;
import io.stillhouse.train.StepReport;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonLinesTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  @Test
  void writesOneLinePerStep() throws IOException {
    try (JsonLines lines = new JsonLines(out)) {
      lines.write(Steps.of(1), Instant.parse("2026-01-02T03:04:05.678Z"));
      lines.write(Steps.of(4), Instant.parse("2026-01-02T03:04:09Z"));
    }
    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            {"time":"2026-01-02T03:04:05.678Z","step":1,"steps":10,"loss":10.0,"soft-label":5.0,"hard-label":2.5,\
            "learning-rate":3.0E-5,"gradient-norm":1.25,"tokens-seen":2048.0,"tokens-per-second":512.0,"wait-share":0.25}
            {"time":"2026-01-02T03:04:09Z","step":4,"steps":10,"loss":2.5,"soft-label":1.25,"hard-label":0.625,\
            "learning-rate":3.0E-5,"gradient-norm":1.25,"tokens-seen":8192.0,"tokens-per-second":512.0,"wait-share":0.25}
            """);
  }

  @Test
  void writesGradientNormThatIsNaN() throws IOException {
    StepReport diverged =
        new StepReport(
            1,
            10,
            Double.NaN,
            Map.of(),
            new StepReport.Optimizer(0, Double.POSITIVE_INFINITY),
            new StepReport.Work(0, 0, 0),
            0);
    try (JsonLines lines = new JsonLines(out)) {
      lines.write(diverged, Instant.EPOCH);
    }
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("\"loss\":NaN", "\"gradient-norm\":Infinity", "\"tokens-per-second\":0.0");
  }
}
