package io.stillhouse.config;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListTextTest {
  private static final List<String> ODD =
      List.of("Yes, definitely", "No", " blank ", "", "a\"b", "[1]", "C:\\x", "C:\\x, \\\\y");

  @TempDir private Path directory;

  @Test
  void splitsAtCommasOutsideQuotes() {
    assertThat(ListText.parse("[\"Yes, definitely\", No ]"))
        .containsExactly("Yes, definitely", "No");
    assertThat(ListText.parse("a, b,,")).containsExactly("a", "b");
    assertThat(ListText.parse("a \"b\", c")).containsExactly("a \"b\"", "c");
    assertThat(ListText.parse("[]")).isEmpty();
  }

  @Test
  void readsWhatItWrites() {
    assertThat(ListText.parse(ListText.write(ODD))).isEqualTo(ODD);
    assertThat(ListText.write(List.of("a", "b c", 3))).isEqualTo("[a, b c, 3]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[\"a, b]", "[\"a\" b]", "\"a\\\""})
  void rejectsOpenQuotes(String text) {
    assertThatThrownBy(() -> Settings.parse(null, List.of("corpus.path=" + text)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "corpus.path must be a value, or a list such as [a, \"b, c\"], but is '%s'", text));
  }

  @Test
  void listsOfRecipeKeepTheirElements() throws IOException {
    Path recipe =
        Files.writeString(
            directory.resolve("a.conf"),
            "corpus.path = [\"reviews, 2024.tsv\", other.tsv]\n"
                + "corpus.classes = [\"Yes, definitely\", No]\n");
    Settings settings = Settings.parse(recipe, List.of());

    assertThat(settings.get(Options.CORPUS_PATH)).containsExactly("reviews, 2024.tsv", "other.tsv");
    assertThat(settings.get(Options.CORPUS_CLASSES)).containsExactly("Yes, definitely", "No");
    assertThat(settings.with(settings.allValues()).get(Options.CORPUS_PATH))
        .isEqualTo(settings.get(Options.CORPUS_PATH));
  }
}
