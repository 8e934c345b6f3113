package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.corpus.SourceRow;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class TagCountsTest {
  private final AtomicLong done = new AtomicLong();

  @Test
  void countsWordsOfBothTexts() {
    Map<String, Long> counts =
        count(
            new SourceRow("a", "the dog sees the cat", null, null),
            new SourceRow("b", "the cat", "the dog sleeps", null));

    assertThat(counts).containsEntry("the", 4L).containsEntry("dog", 2L).containsEntry("cat", 2L);
  }

  @Test
  void skipsRowsWithoutText() {
    assertThat(
            count(
                new SourceRow("a", "", null, null),
                new SourceRow("b", "", null, null, "not UTF-8")))
        .isEmpty();
  }

  @Test
  void reportsEveryRow() {
    count(new SourceRow("a", "the dog", null, null), new SourceRow("b", "", null, null));

    assertThat(done).hasValue(2);
  }

  /** Returns the counts of words under any tag. */
  private Map<String, Long> count(SourceRow... rows) {
    Map<String, Long> counts = new HashMap<>();
    TagCounts.count(List.of(rows).iterator(), done::addAndGet)
        .forEachRemaining(counted -> counts.merge(counted._1.word(), counted._2, Long::sum));
    return counts;
  }
}
