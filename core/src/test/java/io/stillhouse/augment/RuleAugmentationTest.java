package io.stillhouse.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RuleAugmentationTest {
  private static final WordsByTag CORPUS =
      new WordsByTag(
          Map.of(
              "NOUN", Map.of("film", 3L, "plot", 1L),
              "VERB", Map.of("bores", 1L, "sings", 1L, "runs", 2L)));

  private static final String TEXT = "film runs, plot sings";
  private static final List<Span> WORDS =
      List.of(new Span(0, 4), new Span(5, 9), new Span(11, 15), new Span(16, 21));
  private static final List<String> TAGS = List.of("NOUN", "VERB", "NOUN", "VERB");

  @Test
  void changesNothingIfAllProbabilitiesAreZero() {
    for (int copy = 1; copy <= 100; copy++) {
      assertThat(copy(0, 0, 0, copy)).isEqualTo(new Rewritten(TEXT, 4, 0));
    }
  }

  @Test
  void masksEveryWordAtProbabilityOne() {
    assertThat(copy(1, 0, 0, 1)).isEqualTo(new Rewritten("[MASK] [MASK], [MASK] [MASK]", 4, 4));
  }

  @Test
  void swapsPreservePartOfSpeechAndCorpusFrequency() {
    int copies = 20_000;
    Map<String, Integer> counts = new HashMap<>();
    for (int copy = 1; copy <= copies; copy++) {
      String[] words = copy(0, 1, 0, copy).text().split("[ ,]+");
      for (int word = 0; word < 4; word++) {
        assertThat(words[word])
            .isIn(word % 2 == 0 ? List.of("film", "plot") : List.of("bores", "sings", "runs"));
        counts.merge(words[word], 1, Integer::sum);
      }
    }
    // Four standard errors of a share of 40,000 draws: 0.0087 at 0.75 and 0.25, 0.01 at 0.5.
    assertThat(counts.get("film") / (2.0 * copies)).isCloseTo(0.75, within(0.0087));
    assertThat(counts.get("plot") / (2.0 * copies)).isCloseTo(0.25, within(0.0087));
    assertThat(counts.get("runs") / (2.0 * copies)).isCloseTo(0.5, within(0.01));
    assertThat(counts.get("sings") / (2.0 * copies)).isCloseTo(0.25, within(0.0087));
  }

  @Test
  void doesNotCountRedrawnWord() {
    WordsByTag one = new WordsByTag(Map.of("NOUN", Map.of("film", 5L)));
    Rewritten rewritten =
        new RuleAugmentation(new RuleAugmentation.Probabilities(0, 1, 0), one, 1)
            .copy(
                "film", List.of(new Span(0, 4)), List.of("NOUN"), "k", new Rewritten.CopyId(1, 0));
    assertThat(rewritten).isEqualTo(new Rewritten("film", 1, 0));
  }

  @Test
  void maskingAndSwappingAreExclusive() {
    int copies = 20_000;
    int masked = 0;
    int swapped = 0;
    for (int copy = 1; copy <= copies; copy++) {
      String first = copy(0.1, 0.4, 0, copy).text().split(" ")[0];
      masked += first.equals("[MASK]") ? 1 : 0;
      swapped += first.equals("plot") ? 1 : 0;
    }
    // Four standard errors of a share of 20,000 draws: 0.0085 at 0.1.
    assertThat((double) masked / copies).isCloseTo(0.1, within(0.0085));
    assertThat((double) swapped / copies).isCloseTo(0.4 * 0.25, within(0.0085));
  }

  @Test
  void nGramLengthsAreUniformFromOneToFive() {
    String text = "a b c d e f g h i j";
    List<Span> words =
        IntStream.range(0, 10).mapToObj(word -> new Span(2 * word, 2 * word + 1)).toList();
    List<String> tags = words.stream().map(word -> "X").toList();
    RuleAugmentation rules = rules(0, 0, 1);
    int copies = 20_000;
    int[] lengths = new int[6];
    int[] starts = new int[10];
    for (int copy = 1; copy <= copies; copy++) {
      String kept = rules.copy(text, words, tags, "k", new Rewritten.CopyId(copy, 0)).text();
      assertThat(text).contains(kept);
      lengths[(kept.length() + 1) / 2]++;
      if (kept.length() == 1) {
        starts[text.indexOf(kept) / 2]++;
      }
    }
    // Four standard errors: 0.0113 of a share of 0.2 of 20,000; 78 of a tenth of 4,000.
    for (int n = 1; n <= 5; n++) {
      assertThat((double) lengths[n] / copies).isCloseTo(0.2, within(0.0113));
    }
    assertThat(Arrays.stream(starts)).allSatisfy(count -> assertThat(count).isBetween(320, 480));
  }

  @Test
  void keepsNGramsWithGivenProbability() {
    int copies = 20_000;
    int whole = 0;
    for (int copy = 1; copy <= copies; copy++) {
      whole += copy(0, 0, 0.25, copy).text().equals(TEXT) ? 1 : 0;
    }
    // Of four words, four or five in a row are all of them: 2 of 5 n-grams.
    // Four standard errors of a share of 20,000 draws: 0.0101 at 0.85.
    assertThat((double) whole / copies).isCloseTo(0.75 + 0.25 * 0.4, within(0.0101));
  }

  @Test
  void changesWordsInsideNGram() {
    List<String> texts = new ArrayList<>();
    for (int copy = 1; copy <= 50; copy++) {
      texts.add(copy(1, 0, 1, copy).text());
    }
    assertThat(texts)
        .contains("[MASK]", "[MASK] [MASK]", "[MASK], [MASK]")
        .allSatisfy(text -> assertThat(text).matches("\\[MASK\\](,? \\[MASK\\]){0,3}"));
  }

  @Test
  void copiesOfPairsChangeFirstSecondAndBothInTurn() {
    List<String> turns = new ArrayList<>();
    for (int copy = 1; copy <= 6; copy++) {
      turns.add(
          RuleAugmentation.changes(new Rewritten.CopyId(copy, 0))
              + " "
              + RuleAugmentation.changes(new Rewritten.CopyId(copy, 1)));
    }
    assertThat(turns)
        .containsExactly(
            "true false", "false true", "true true", "true false", "false true", "true true");
  }

  private static RuleAugmentation rules(double mask, double swap, double ngram) {
    return new RuleAugmentation(new RuleAugmentation.Probabilities(mask, swap, ngram), CORPUS, 42);
  }

  private static Rewritten copy(double mask, double swap, double ngram, int copy) {
    return rules(mask, swap, ngram)
        .copy(TEXT, WORDS, TAGS, "rows.tsv:7", new Rewritten.CopyId(copy, 0));
  }
}
