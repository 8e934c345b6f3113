package io.stillhouse.jobs.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OverlappedTest {
  @Test
  void preservesOrder() throws IOException {
    List<Integer> done = new ArrayList<>();
    try (Overlapped overlapped = new Overlapped(2)) {
      for (int i = 0; i < 100; i++) {
        int piece = i;
        overlapped.submit(() -> done.add(piece));
      }
      overlapped.finish();
    }
    assertThat(done).isEqualTo(IntStream.range(0, 100).boxed().toList());
  }

  @Test
  void rethrowsExceptionOfPiece() {
    try (Overlapped overlapped = new Overlapped(1)) {
      assertThatThrownBy(
              () -> {
                overlapped.submit(
                    () -> {
                      throw new IOException("disk full");
                    });
                overlapped.finish();
              })
          .isInstanceOf(IOException.class)
          .hasMessageContaining("disk full");
    }
  }
}
