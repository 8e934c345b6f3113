package io.stillhouse.jobs.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DistillRequestTest {
  @TempDir private Path directory;

  @Test
  void tableIsOneFileWhoseNameMayHaveCommas() {
    assertThat(request("a, b.csv").settings().get(Options.CORPUS_PATH)).containsExactly("a, b.csv");
  }

  @Test
  void rejectsKeysThatDistillSets() {
    assertThatThrownBy(() -> request("t", "corpus.path=t", "cache.window=4").settings())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("corpus.path is set, but distill sets it itself; remove it")
        .hasMessageContaining("cache.window is set, but distill sets it itself; remove it");
    assertThatThrownBy(() -> request("t", "evaluate.path=dev.csv").settings())
        .hasMessageContaining("evaluate.path is set")
        .hasMessageContaining("set distill.validation");
  }

  @Test
  void helpDoesNotListKeysThatDistillSets() {
    List<String> listed = CommandKeys.DISTILL.options().stream().map(Option::key).toList();

    assertThat(listed).doesNotContainAnyElementsOf(DistillRequest.OWN_KEYS.keySet());
  }

  @Test
  void rejectsMaskedLm() {
    assertThatThrownBy(() -> request("t", "finetune.task=masked-lm").settings())
        .hasMessageContaining("distill learns from labels");
  }

  @Test
  void rejectsFileAsDirectory() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "x");

    assertThatThrownBy(() -> DistillRequest.of("t", file, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("'" + file + "', is a file; name a directory");
  }

  @Test
  void rejectsEmptyDirectoryName() {
    assertThatThrownBy(() -> DistillRequest.of("t", Path.of(""), List.of()))
        .hasMessageContaining("the directory of distill is empty");
  }

  @ParameterizedTest
  @ValueSource(strings = {"run-10:30", "a[1]", "what?", "{x}"})
  void rejectsCharactersWithMeaning(String name) {
    assertThatThrownBy(() -> DistillRequest.of("t", directory.resolve(name), List.of()))
        .hasMessageContaining(name + "', whose path contains one of")
        .hasMessageContaining("name another directory");
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void clearsOnlyItsOwnResults() throws IOException {
    DistillDirectory own = new DistillDirectory(directory);
    Files.createDirectories(directory.resolve("data/train"));
    Files.writeString(directory.resolve("notes.txt"), "mine");

    own.clear();

    assertThat(directory).isDirectoryNotContaining("glob:**/data");
    assertThat(directory.resolve("notes.txt")).hasContent("mine");
  }

  private DistillRequest request(String table, String... arguments) {
    return DistillRequest.of(table, directory, List.of(arguments));
  }
}
