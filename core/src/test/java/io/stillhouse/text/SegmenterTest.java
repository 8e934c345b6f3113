package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.text.Segmenter.Mode;
import io.stillhouse.text.Segmenter.TooLong;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SegmenterTest {
  private static final String[] FRAGMENTS = {
    "a",
    "the",
    "Up",
    "betimes",
    "incomprehensibilities",
    "  ",
    " ",
    "\t",
    "\u00a0",
    ".",
    ". ",
    "! ",
    "?\" ",
    "\ud83d\ude00",
    "\ud83d\udc69\u200d\ud83d\ude80",
    "caf\u00e9",
    "e\u0301",
    "\u4e2d\u6587",
    "\u2026",
    "--",
    "Mr. ",
    "St. ",
    "1660-61",
    "\ud835\udd38\ud835\udd39",
    "\n"
  };

  @Test
  void losesNoTextWhenSplitting() {
    SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 2000; i++) {
      String text = randomText(random);
      Encoded encoded = ToyTokenizer.encode(text);
      for (Mode mode : Mode.values()) {
        int maxLength = 3 + random.nextInt(12);
        List<Segment> pieces = new Segmenter(mode, TooLong.SPLIT, maxLength).segment(encoded, text);
        if (encoded.ids().length == 0) {
          assertThat(pieces).isEmpty();
          continue;
        }
        assertThat(joinedText(pieces)).isEqualTo(text);
        assertThat(joinedIds(pieces)).isEqualTo(encoded.ids());
        assertThat(pieces)
            .allSatisfy(piece -> assertThat(piece.ids()).hasSizeBetween(1, maxLength - 2));
        // The text of a piece encodes to its ids, so no token or character was split.
        assertThat(pieces)
            .allSatisfy(piece -> assertThat(lengths(piece)).isEqualTo(piece.ids().length));
      }
    }
  }

  @Test
  void keepsWholeRowThatFits() {
    assertThat(texts(Mode.ROW, TooLong.TRUNCATE, 8, " One. Two. ")).containsExactly(" One. Two. ");
  }

  @Test
  void truncatesAtLastTokenThatFits() {
    assertThat(texts(Mode.ROW, TooLong.TRUNCATE, 5, "one two threefour"))
        .containsExactly("one two thr");
    assertThat(texts(Mode.SENTENCES, TooLong.TRUNCATE, 4, "One two six. Ten."))
        .containsExactly("One two", "Ten.");
  }

  @Test
  void splitsBeforeWords() {
    assertThat(texts(Mode.ROW, TooLong.SPLIT, 5, "one  two threefour six"))
        .containsExactly("one  two ", "threefour ", "six");
  }

  @Test
  void splitsAtPunctuationWithoutWhiteSpace() {
    assertThat(texts(Mode.WINDOWS, TooLong.SPLIT, 5, "one-sixten-two"))
        .containsExactly("one-", "sixten-", "two");
  }

  @Test
  void splitsOverlongWordBetweenItsPieces() {
    assertThat(texts(Mode.WINDOWS, TooLong.TRUNCATE, 4, "a bcdefghijk lm"))
        .containsExactly("a ", "bcdefg", "hijk ", "lm");
  }

  @Test
  void findsSentences() {
    assertThat(
            texts(
                Mode.SENTENCES,
                TooLong.SPLIT,
                64,
                "  Up betimes.  To the office! \"And so?\" To bed"))
        .containsExactly("  Up betimes.  ", "To the office! ", "\"And so?\" ", "To bed");
  }

  @Test
  void doesNotEndSentenceAfterTitleOrInitial() {
    assertThat(
            texts(
                Mode.SENTENCES,
                TooLong.SPLIT,
                64,
                "With Mr. Moore. To St. Paul's. J. Evelyn and I. Up."))
        .containsExactly("With Mr. Moore. ", "To St. Paul's. ", "J. Evelyn and I. ", "Up.");
  }

  @Test
  void keepsRepeatedSentencesApart() {
    assertThat(texts(Mode.SENTENCES, TooLong.SPLIT, 64, "So to bed. So to bed. So to bed."))
        .containsExactly("So to bed. ", "So to bed. ", "So to bed.");
  }

  @Test
  void fillsWindowsAcrossSentences() {
    assertThat(texts(Mode.WINDOWS, TooLong.SPLIT, 6, "Up. To bed. So on."))
        .containsExactly("Up. To ", "bed. So ", "on.");
  }

  @Test
  void returnsNothingForBlankText() {
    for (Mode mode : Mode.values()) {
      assertThat(texts(mode, TooLong.SPLIT, 8, " \t ")).isEmpty();
      assertThat(texts(mode, TooLong.SPLIT, 8, "")).isEmpty();
    }
  }

  @Test
  void doesNotSplitCharacterOfSeveralTokens() {
    // A Hangul syllable decomposes into up to three tokens that share its position.
    Encoded encoded =
        new Encoded(
            new int[] {1, 2, 3, 4, 5, 6},
            new int[] {0, 0, 0, 1, 1, 1},
            new int[] {1, 1, 1, 2, 2, 2},
            new int[6]);
    List<Segment> pieces =
        new Segmenter(Mode.WINDOWS, TooLong.SPLIT, 6).segment(encoded, "\ud55c\uae00");
    assertThat(pieces).extracting(Segment::text).containsExactly("\ud55c", "\uae00");
    assertThat(pieces.get(0).ids()).containsExactly(1, 2, 3);
  }

  @Test
  void rejectsLengthWithoutRoomForToken() {
    assertThatThrownBy(() -> new Segmenter(Mode.ROW, TooLong.SPLIT, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("maxLength must be at least 3, but is 2");
  }

  private static List<String> texts(Mode mode, TooLong tooLong, int maxLength, String text) {
    return new Segmenter(mode, tooLong, maxLength)
        .segment(ToyTokenizer.encode(text), text).stream().map(Segment::text).toList();
  }

  private static int lengths(Segment piece) {
    return ToyTokenizer.encode(piece.text()).ids().length;
  }

  private static String joinedText(List<Segment> pieces) {
    return String.join("", pieces.stream().map(Segment::text).toList());
  }

  private static int[] joinedIds(List<Segment> pieces) {
    return pieces.stream().flatMapToInt(piece -> IntStream.of(piece.ids())).toArray();
  }

  private static String randomText(SplittableRandom random) {
    StringBuilder text = new StringBuilder();
    int fragments = random.nextInt(40);
    for (int i = 0; i < fragments; i++) {
      text.append(FRAGMENTS[random.nextInt(FRAGMENTS.length)]);
    }
    return text.toString();
  }
}
