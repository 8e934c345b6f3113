package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.augment.ReplaceableWords.Stops;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.augment.Augmentation.MaskedLm;
import io.stillhouse.jobs.corpus.SourceRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MaskedLmAugmenterTest {
  @TempDir private Path directory;

  @Test
  void rewritesBothTextsOfPair() throws IOException {
    List<SourceRow> pairs = List.of(new SourceRow("pairs.tsv:0", "he not 0", "had were", "1"));

    List<Augmentation.Texts> copies = copies(TinyAugmentation.maskedLm(), pairs).get(0).texts();

    assertThat(copies)
        .hasSize(5)
        .allSatisfy(
            copy -> {
              assertThat(copy.text()).doesNotContain("he not").endsWith(" 0");
              assertThat(copy.pair()).isNotNull().doesNotContain("had were");
            });
  }

  @Test
  void replacesWordsOfSeveralPiecesByNearestWords() throws IOException {
    List<SourceRow> rows = TinyAugmentation.rows("wed", "bing");

    List<Augmentation.Copies> copies = copies(TinyAugmentation.maskedLm(), rows);

    assertThat(TinyAugmentation.texts(rows, copies))
        .hasSizeGreaterThan(4)
        .allSatisfy(text -> assertThat(text).matches("[a-z]{2,}|a|i"));
    assertThat(TinyAugmentation.maskedWords(copies)).isZero();
  }

  @Test
  void masksWordsOfSeveralPiecesWithoutVectors() throws IOException {
    List<SourceRow> rows = TinyAugmentation.rows("wed", "bing");

    List<Augmentation.Copies> copies =
        copies(TinyAugmentation.maskedLm(Tiny.MLM, MaskedLm.NO_VECTORS, Stops.REPLACED), rows);

    assertThat(TinyAugmentation.texts(rows, copies)).hasSizeGreaterThan(4);
    assertThat(TinyAugmentation.maskedWords(copies)).isEqualTo(2);
  }

  @Test
  void findsNearestWordsInVectorFile() throws IOException {
    Path vectors =
        Files.writeString(
            directory.resolve("vectors.txt"),
            "wed 1 0\nthe 1 0.02\nb 1 0.03\nwedding 1 0.1\nmarried 1 0.2\nspring 0 1\n");
    Path model = TinyAugmentation.withContentWords(directory.resolve("model"));
    MaskedLm all = TinyAugmentation.maskedLm(model, vectors.toString(), Stops.KEPT);
    MaskedLm two =
        new MaskedLm(all.model(), all.vectors(), new MaskedLm.Choice(2, 1, Stops.KEPT), all.pass());
    List<SourceRow> rows = TinyAugmentation.rows("wed", "bing");

    assertThat(TinyAugmentation.texts(rows, copies(two, rows)))
        .containsExactlyInAnyOrder("wed", "wedding", "married", "bing");
  }

  @Test
  void replacesStopWordsByOtherWords() throws IOException {
    Path model = TinyAugmentation.withContentWords(directory.resolve("model"));
    List<SourceRow> rows = TinyAugmentation.rows("the 7 film of .");

    List<Augmentation.Copies> copies =
        copies(TinyAugmentation.maskedLm(model, "", Stops.REPLACED), rows);

    assertThat(TinyAugmentation.texts(List.of(), copies))
        .hasSizeGreaterThan(2)
        .allSatisfy(
            text -> assertThat(text).matches("(?!the)[a-z]+ 7 (?!film)[a-z]+ (?!of)[a-z]+ \\."));
  }

  @Test
  void keepsStopWordsAndNeverInsertsThem() throws IOException {
    Path model = TinyAugmentation.withContentWords(directory.resolve("model"));
    List<SourceRow> rows = TinyAugmentation.rows("the 7 film of .");

    List<Augmentation.Copies> copies =
        copies(TinyAugmentation.maskedLm(model, "", Stops.KEPT), rows);

    assertThat(TinyAugmentation.texts(rows, copies))
        .hasSizeGreaterThan(2)
        .isSubsetOf("the 7 film of .", "the 7 plot of .", "the 7 actor of .", "the 7 scene of .");
  }

  @Test
  void readsWindowAroundEachWordOfLongText() throws IOException {
    // Texts have up to 25 words, and the model reads 7 of them.
    assertThat(fifteenthWords(MaskedLm.ModelInput.MASKED_TEXT)).hasSizeGreaterThan(15);
  }

  @Test
  void readsWindowsOfMaskedAndOriginalText() throws IOException {
    // The model reads 3 words of each.
    assertThat(fifteenthWords(MaskedLm.ModelInput.MASKED_TEXT_AND_ORIGINAL)).hasSizeGreaterThan(15);
  }

  @Test
  void predictsDifferentWordsIfModelReadsOriginal() throws IOException {
    List<SourceRow> rows = longRows();

    assertThat(copies(windowed(MaskedLm.ModelInput.MASKED_TEXT_AND_ORIGINAL), rows))
        .isNotEqualTo(copies(windowed(MaskedLm.ModelInput.MASKED_TEXT), rows));
  }

  /** Returns the distinct fifteenth words of copies of long texts. */
  private Set<String> fifteenthWords(MaskedLm.ModelInput input) throws IOException {
    return copies(windowed(input), longRows()).stream()
        .flatMap(of -> of.texts().stream())
        .map(copy -> copy.text().split(" "))
        .filter(words -> words.length > 15)
        .map(words -> words[14])
        .collect(Collectors.toSet());
  }

  private static MaskedLm windowed(MaskedLm.ModelInput input) {
    MaskedLm whole = TinyAugmentation.maskedLm();
    return new MaskedLm(
        whole.model(), whole.vectors(), whole.choice(), TinyAugmentation.pass(input, 9));
  }

  private List<SourceRow> longRows() throws IOException {
    Path table = Tiny.labelled(directory.resolve("rows.tsv"), 40, "1", "0");
    List<String> texts = new ArrayList<>();
    for (String line : Files.readAllLines(table)) {
      texts.add(line.split("\t")[0]);
    }
    texts.remove(0);
    return TinyAugmentation.rows(texts.toArray(String[]::new));
  }

  private static List<Augmentation.Copies> copies(MaskedLm how, List<SourceRow> rows)
      throws IOException {
    return how.open(TinyAugmentation.FIVE_COPIES).of(rows);
  }
}
