package io.stillhouse.augment;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WordVectorsTest {
  private static final Set<String> PIECES = Set.of("the", "##ing", ".", "absent");

  @Test
  void readsOnlyVectorsOfKnownPieces() throws IOException {
    Map<String, float[]> vectors =
        of("of 1 2 3\nthe 0.5 -1e-2 3\n##ing 4 5 6 \nthe 9 9 9\n").read(PIECES);

    assertThat(vectors).containsOnlyKeys("the", "##ing");
    assertThat(vectors.get("the")).containsExactly(0.5f, -0.01f, 3f);
    assertThat(vectors.get("##ing")).containsExactly(4f, 5f, 6f);
  }

  @Test
  void readsFirstRequestedVectors() throws IOException {
    assertThat(
            of("the 1 2\n, 3 4\ncafé 5 6\nthe 9 9\nlast 7 8\n").read(word -> !word.equals(","), 2))
        .containsOnlyKeys("the", "café");
  }

  @Test
  void skipsWord2vecHeader() throws IOException {
    assertThat(of("2 3\nthe 1 2 3\n").width()).isEqualTo(3);
    assertThat(of("2 3\nthe 1 2 3\n").read(PIECES)).containsOnlyKeys("the");
    assertThat(of("the 1 2 3 4\n").width()).isEqualTo(4);
  }

  @Test
  void tokenMayContainBlanks() throws IOException {
    assertThat(of("the 1 2\n. . . 3 4\n. 5 6\n").read(PIECES).get(".")).containsExactly(5f, 6f);
  }

  @Test
  void rejectsShortLineWithItsNumber() {
    assertThatThrownBy(() -> of("of 1 2\nthe 1\n").read(PIECES))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'vectors.txt', line 2 has 1 numbers, but the first vector has 2; use a file in"
                + " GloVe's format: a token and its numbers on each line");
  }

  @Test
  void rejectsNonFiniteNumbers() {
    for (String word : new String[] {"NaN", "x", "1e99"}) {
      assertThatThrownBy(() -> of(format("2 2\nof 1 2\nthe 1 %s\n", word)).read(PIECES))
          .isInstanceOf(StillhouseException.class)
          .hasMessage(
              format(
                  "'vectors.txt', line 3: '%s' is not a finite number; use a file in GloVe's"
                      + " format: a token and its numbers on each line",
                  word));
    }
  }

  @Test
  void rejectsFileWithoutVectors() {
    for (String text : new String[] {"", "the\n"}) {
      assertThatThrownBy(() -> of(text).width())
          .isInstanceOf(StillhouseException.class)
          .hasMessageStartingWith("the first line of 'vectors.txt' has no vector; use");
    }
  }

  private static WordVectors of(String text) {
    return new WordVectors("vectors.txt", new BufferedReader(new StringReader(text)));
  }
}
