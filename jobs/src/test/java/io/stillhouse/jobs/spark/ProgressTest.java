package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private static final long SECOND = 1_000_000_000L;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final AtomicLong now = new AtomicLong(5 * SECOND);

  @Test
  void writesPlainLinesAtGrowingIntervalsWithoutTerminal() {
    try (Progress progress = progress(0, 100_000, 0)) {
      for (int second = 1; second <= 100; second++) {
        now.addAndGet(SECOND);
        progress.update(10L * second);
      }
    }
    assertThat(written())
        .isEqualTo(
            """
            cache: 0 %, 100 of 100,000 tokens, 10 tokens/s, 2:46:30 left
            cache: 0 %, 300 of 100,000 tokens, 10 tokens/s, 2:46:10 left
            cache: 1 %, 700 of 100,000 tokens, 10 tokens/s, 2:45:30 left
            cache: 1,000 of 100,000 tokens in 1:40, 10 tokens/s
            """);
  }

  @Test
  void writesLineForEachTenth() {
    try (Progress progress = progress(0, 100, 0)) {
      for (int tenth = 1; tenth <= 3; tenth++) {
        now.addAndGet(12 * SECOND);
        progress.update(10L * tenth);
      }
    }
    assertThat(written()).hasLineCount(4).contains("cache: 20 %, 20 of 100 tokens, 0.83 tokens/s");
  }

  @Test
  void redrawsBarWithinWidthOfTerminal() {
    try (Progress progress = progress(0, 200, 60)) {
      now.addAndGet(10 * SECOND);
      progress.note("loss 1.23");
      progress.update(100);
      now.addAndGet(10 * SECOND);
      progress.update(200);
    }
    assertThat(written().split("\r"))
        .contains("cache [########################] 100 %, 200 of 200 tokens, \u001b[K")
        .endsWith("cache: 200 tokens in 0:20, 10 tokens/s, loss 1.23\u001b[K\n");
  }

  @Test
  void rateExcludesWorkOfEarlierRun() {
    try (Progress progress = progress(900, 1000, 0)) {
      now.addAndGet(10 * SECOND);
      progress.update(950);
    }
    assertThat(written()).contains("cache: 95 %, 950 of 1,000 tokens, 5 tokens/s, 0:10 left");
  }

  @Test
  void addsUpReportsOfSeveralThreads() {
    try (Progress progress = progress(0, 1000, 0)) {
      IntStream.range(0, 1000).parallel().forEach(i -> progress.advance(1));
    }
    assertThat(written()).startsWith("cache: 1,000 tokens in 0:00");
  }

  private Progress progress(long from, long total, int columns) {
    PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    return new Progress("cache", from, total, "tokens", out, columns, now::get);
  }

  private String written() {
    return bytes.toString(StandardCharsets.UTF_8);
  }
}
