package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PairingTest {
  private static final int CLS = 2;
  private static final int SEP = 3;

  @Test
  void wrapsSingleText() {
    Pairing.Input input = new Pairing(CLS, SEP, 8).single(new int[] {10, 11});
    assertThat(input.ids()).containsExactly(CLS, 10, 11, SEP);
    assertThat(input.tokenTypes()).containsExactly(0, 0, 0, 0);
  }

  @Test
  void truncatesLongSingleText() {
    Pairing.Input input = new Pairing(CLS, SEP, 4).single(new int[] {10, 11, 12});
    assertThat(input.ids()).containsExactly(CLS, 10, 11, SEP);
  }

  @Test
  void secondTextHasTypeOne() {
    Pairing.Input input = new Pairing(CLS, SEP, 8).pair(new int[] {10, 11}, new int[] {20});
    assertThat(input.ids()).containsExactly(CLS, 10, 11, SEP, 20, SEP);
    assertThat(input.tokenTypes()).containsExactly(0, 0, 0, 0, 1, 1);
  }

  /** Expected lengths: BertTokenizerFast, transformers 5.24.0, tokenizers 0.23.3, longest_first. */
  @ParameterizedTest
  @CsvSource({
    "3, 2, 16, 3, 2",
    "10, 3, 10, 4, 3",
    "3, 10, 10, 3, 4",
    "10, 10, 10, 3, 4",
    "10, 10, 11, 4, 4",
    "9, 10, 10, 3, 4",
    "10, 9, 10, 4, 3",
    "10, 4, 10, 4, 3",
    "4, 10, 10, 3, 4",
    "5, 4, 10, 4, 3",
    "10, 10, 3, 0, 0",
    "10, 10, 4, 0, 1",
    "1, 10, 4, 0, 1",
    "10, 1, 4, 1, 0",
    "0, 10, 8, 0, 5",
    "4, 3, 10, 4, 3"
  })
  void truncatesPairsAsHuggingFaceDoes(int a, int b, int maxLength, int keptOfA, int keptOfB) {
    int[] first = IntStream.range(100, 100 + a).toArray();
    int[] second = IntStream.range(200, 200 + b).toArray();
    Pairing.Input input = new Pairing(CLS, SEP, maxLength).pair(first, second);
    int[] expected =
        Stream.of(
                new int[] {CLS},
                Arrays.copyOf(first, keptOfA),
                new int[] {SEP},
                Arrays.copyOf(second, keptOfB),
                new int[] {SEP})
            .flatMapToInt(IntStream::of)
            .toArray();
    assertThat(input.ids()).isEqualTo(expected);
    assertThat(Arrays.stream(input.tokenTypes()).sum()).isEqualTo(keptOfB + 1);
  }
}
