package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CorpusFilesTest {
  @TempDir private Path directory;

  @Test
  void namesFilesByPathBelowDirectory() throws IOException {
    write("top/one file 100%.txt");
    write("top/deep/er/one.txt");
    write("other/one.txt");

    assertThat(names(list("top"))).containsExactly("deep/er/one.txt", "one file 100%.txt");
  }

  @Test
  void namesFilesByPathBelowCommonDirectory() throws IOException {
    write("top/deep/er/one.txt");
    write("other/one.txt");

    assertThat(names(list("top/deep", "other/one.txt")))
        .containsExactly("top/deep/er/one.txt", "other/one.txt");
  }

  @Test
  void skipsHiddenFilesButNotPartitions() throws IOException {
    write("in/_SUCCESS");
    write("in/.part.crc");
    write("in/_temporary/a.txt");
    write("in/_split=dev/a.txt");

    assertThat(names(list("in"))).containsExactly("_split=dev/a.txt");
  }

  @Test
  void findsColumnsOfDirectories() throws IOException {
    write("in/split=dev/n=01/a=b.csv");
    write("in/split=%2F/n=__HIVE_DEFAULT_PARTITION__/a.csv");
    CorpusFiles files = list("in");

    Map<String, String> missing = new HashMap<>();
    missing.put("split", "/");
    missing.put("n", null);
    assertThat(files.directoryColumns(files.files().get(0))).isEqualTo(missing);
    assertThat(files.directoryColumns(files.files().get(1)))
        .isEqualTo(Map.of("split", "dev", "n", "01"));
  }

  @Test
  void readsHiddenFilesThatAreNamed() throws IOException {
    write("in/_dev.tsv");

    assertThat(names(list("in/_dev.tsv"))).containsExactly("_dev.tsv");
  }

  @Test
  void globsSkipHiddenFilesUnlessTheyNameThem() throws IOException {
    write("in/_dev.tsv");
    write("in/a.tsv");
    write("in/.a.tsv.crc");

    assertThat(names(list("in/*"))).containsExactly("a.tsv");
    assertThat(names(list("in/_*.tsv"))).containsExactly("_dev.tsv");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"2024-01-01T10:00:00.tsv", "reviews[1].tsv", "reviews, 2024.tsv", "a{b}*?.tsv"})
  void takesNameOfFileThatExistsLiterally(String name) throws IOException {
    write("in/" + name);

    assertThat(names(list("in/" + name))).containsExactly(name);
    assertThat(names(list("in"))).containsExactly(name);
  }

  @Test
  void joinsNameThatWasSplitAtItsComma() throws IOException {
    write("in/reviews, b.tsv");
    List<String> split = List.of(directory + "/in/reviews", "b.tsv");

    assertThat(names(CorpusFiles.list(split, new Configuration())))
        .containsExactly("reviews, b.tsv");
    assertThatThrownBy(
            () ->
                CorpusFiles.list(List.of(directory + "/in/reviews", "c.tsv"), new Configuration()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("does not exist: '" + directory + "/in/reviews'");
  }

  @Test
  void rejectsBrokenLink() throws IOException {
    write("in/a.txt");
    Files.createSymbolicLink(directory.resolve("in/b.txt"), Path.of("nowhere.txt"));

    assertThatThrownBy(() -> list("in"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("in/b.txt' of the corpus is a link to a file that does not exist");
  }

  @Test
  void rejectsBrokenLinkThatGlobMatches() throws IOException {
    write("in/a.txt");
    Files.createSymbolicLink(directory.resolve("in/b.txt"), Path.of("nowhere.txt"));
    Files.createSymbolicLink(directory.resolve("in/c.csv"), Path.of("nowhere.txt"));

    assertThatThrownBy(() -> list("in/*.txt"))
        .hasMessageContaining("in/b.txt' of the corpus is a link to a file that does not exist");
    assertThat(names(list("in/a*"))).containsExactly("a.txt");
  }

  @Test
  void rejectsFileSystemThatIsNotThere() {
    assertThatThrownBy(() -> CorpusFiles.list(List.of("gone://b/x"), new Configuration()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the file system of the corpus 'gone://b/x' is not available")
        .hasMessageContaining("check its scheme and host");
  }

  @Test
  void rejectsLinkToDirectoryAboveIt() throws IOException {
    write("in/a.txt");
    Files.createSymbolicLink(directory.resolve("in/again"), directory.resolve("in"));

    assertThatThrownBy(() -> list("in"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("is a link to one that contains it");
  }

  @ParameterizedTest
  @CsvSource({
    "a.txt, TEXT",
    "a.csv, CSV",
    "A.TSV, TSV",
    "a.jsonl, JSON",
    "a.parquet, PARQUET",
    "a.orc, ORC",
    "a.csv.gz, CSV",
    "a.json.bz2, JSON"
  })
  void infersFormatFromExtension(String file, Format format) throws IOException {
    write(file);

    assertThat(list(file).detectFormat()).isEqualTo(format);
  }

  @Test
  void rejectsUnknownExtension() throws IOException {
    write("odd/a.doc");

    assertThatThrownBy(() -> list("odd").detectFormat())
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "cannot infer the format of the corpus from the name of 'file:%s'; set"
                    + " corpus.format to text, csv, tsv, jsonl, parquet or orc",
                directory.resolve("odd/a.doc")));
  }

  @Test
  void rejectsMixedFormats() throws IOException {
    write("mixed/a.txt");
    write("mixed/b.csv");

    assertThatThrownBy(() -> list("mixed").detectFormat())
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("the corpus mixes formats: {TEXT=")
        .hasMessageEndingWith("name files of one format, or set corpus.format");
  }

  @Test
  void rejectsMissingPath() {
    assertThatThrownBy(() -> list("missing.txt"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "corpus does not exist: '%s'; check the spelling, and that every machine of the"
                    + " cluster can read it",
                directory.resolve("missing.txt")));
  }

  @Test
  void rejectsDirectoryWithoutFiles() throws IOException {
    Files.createDirectories(directory.resolve("none"));

    assertThatThrownBy(() -> list("none"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no files");
  }

  @Test
  void rejectsFileNamedTwice() throws IOException {
    write("in/a.txt");

    assertThatThrownBy(() -> list("in", "in/a.txt"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            format("names the file 'file:%s' twice", directory.resolve("in/a.txt")))
        .hasMessageEndingWith("name each file or directory once");
  }

  @Test
  void keepsOnlySelectedFilesUnderGivenNames() throws IOException {
    write("in/a[1].txt");
    write("in/b.txt");
    CorpusFiles all = list("in");

    CorpusFiles some = all.subset(Map.of(all.files().get(0), "first.txt"));

    assertThat(names(some)).containsExactly("first.txt");
  }

  @Test
  void addsUpSizesOfFiles() throws IOException {
    write("in/a.txt");
    write("in/b.txt");

    assertThat(list("in").bytes()).isEqualTo(2);
  }

  private CorpusFiles list(String... paths) {
    List<String> all = Arrays.stream(paths).map(path -> directory + "/" + path).toList();
    return CorpusFiles.list(all, new Configuration());
  }

  private static List<String> names(CorpusFiles files) {
    return files.files().stream().map(files::name).toList();
  }

  private void write(String name) throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "x");
  }
}
