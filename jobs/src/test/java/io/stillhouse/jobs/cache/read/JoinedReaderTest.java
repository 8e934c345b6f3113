package io.stillhouse.jobs.cache.read;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class JoinedReaderTest {
  @Test
  void countsRemainingRows() {
    BitSet leftOut = new BitSet();
    leftOut.set(0);
    leftOut.set(2);

    assertThat(JoinedReader.remaining(List.of(5, 3), List.of(leftOut, new BitSet())))
        .containsExactly(3, 3);
  }

  @Test
  void keepsAllRowsIfNoneAreLeftOut() {
    assertThat(JoinedReader.remaining(List.of(5, 3), List.of())).containsExactly(5, 3);
  }
}
