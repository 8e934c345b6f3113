package io.stillhouse.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WordReplacementTest {
  private static final String TEXT = " A good  film, not long. ";
  private static final List<Span> WORDS =
      List.of(new Span(3, 7), new Span(9, 13), new Span(19, 23));
  private static final List<List<String>> CANDIDATES =
      List.of(List.of("fine", "bad"), List.of(), List.of("short"));

  @Test
  void changesNothingAtProbabilityZero() {
    for (int copy = 1; copy <= 100; copy++) {
      assertThat(copy(0, copy)).isEqualTo(new Rewritten(TEXT, 3, 0));
    }
  }

  @Test
  void replacesEveryWordWithCandidatesAtProbabilityOne() {
    Set<String> texts = new HashSet<>();
    for (int copy = 1; copy <= 100; copy++) {
      Rewritten rewritten = copy(1, copy);
      assertThat(rewritten.replaced()).isEqualTo(2);
      texts.add(rewritten.text());
    }
    assertThat(texts)
        .containsExactlyInAnyOrder(" A fine  film, not short. ", " A bad  film, not short. ");
  }

  @Test
  void replacesWordsWithGivenProbabilityAndUniformCandidates() {
    int copies = 20_000;
    int fine = 0;
    int bad = 0;
    int shorter = 0;
    int both = 0;
    for (int copy = 1; copy <= copies; copy++) {
      String text = copy(0.4, copy).text();
      fine += text.contains("fine") ? 1 : 0;
      bad += text.contains("bad") ? 1 : 0;
      shorter += text.contains("short") ? 1 : 0;
      both += text.contains("short") && !text.contains("good") ? 1 : 0;
    }
    // Four standard errors of a share of 20,000 draws: 0.0139 at 0.4, 0.0113 at 0.2, 0.0104 at
    // 0.16.
    assertThat((double) shorter / copies).isCloseTo(0.4, within(0.0139));
    assertThat((double) fine / copies).isCloseTo(0.2, within(0.0113));
    assertThat((double) bad / copies).isCloseTo(0.2, within(0.0113));
    assertThat((double) both / copies).isCloseTo(0.16, within(0.0104));
  }

  @Test
  void dependsOnSeedKeyCopyAndText() {
    List<String> many = IntStream.range(0, 50).mapToObj(i -> "candidate" + i).toList();
    Set<String> texts = new HashSet<>();
    for (long seed = 0; seed < 2; seed++) {
      for (String key : List.of("a:1", "a:2")) {
        for (int copyId = 0; copyId < 4; copyId++) {
          texts.add(
              new WordReplacement(1, seed)
                  .copy(
                      TEXT,
                      WORDS,
                      List.of(many, many, many),
                      key,
                      new Rewritten.CopyId(1 + copyId / 2, copyId % 2))
                  .text());
        }
      }
    }
    assertThat(texts).hasSize(16);
  }

  @Test
  void candidatesOfOneWordDoNotAffectOthers() {
    WordReplacement replacement = new WordReplacement(0.5, 3);
    for (int copy = 1; copy <= 50; copy++) {
      Rewritten.CopyId copyId = new Rewritten.CopyId(copy, 0);
      String one = replacement.copy(TEXT, WORDS, CANDIDATES, "k", copyId).text();
      String other =
          replacement
              .copy(
                  TEXT, WORDS, List.of(List.of(), List.of("movie"), List.of("short")), "k", copyId)
              .text();
      assertThat(one.contains("short")).isEqualTo(other.contains("short"));
    }
  }

  @Test
  void candidateKeepsCapitalization() {
    List<Span> words = List.of(new Span(0, 4), new Span(5, 9), new Span(10, 13));
    Rewritten rewritten =
        new WordReplacement(1, 1)
            .copy(
                "Good FILM bad",
                words,
                List.of(List.of("été"), List.of("movie"), List.of("poor")),
                "k",
                new Rewritten.CopyId(1, 0));
    assertThat(rewritten.text()).isEqualTo("Été movie poor");
  }

  @Test
  void keepsTextWithoutWords() {
    assertThat(
            new WordReplacement(1, 1)
                .copy("...", List.of(), List.of(), "k", new Rewritten.CopyId(1, 0)))
        .isEqualTo(new Rewritten("...", 0, 0));
  }

  private static Rewritten copy(double probability, int copy) {
    return new WordReplacement(probability, 42)
        .copy(TEXT, WORDS, CANDIDATES, "rows.tsv:7", new Rewritten.CopyId(copy, 0));
  }
}
