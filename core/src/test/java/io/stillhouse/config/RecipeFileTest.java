package io.stillhouse.config;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecipeFileTest {
  private static final Map<String, String> ENVIRONMENT =
      Map.of("MY_TOKEN", "hf_xyzzy", "SHORT_KEY", "k4", "EPOCHS", "7");

  @TempDir Path parent;
  private Path directory;

  @BeforeEach
  void create() throws IOException {
    directory = Files.createDirectories(parent.resolve("conf"));
    Files.createDirectories(directory.resolve("sub"));
    Files.writeString(directory.resolve("beside.conf"), "train.epochs = 5");
    Files.writeString(directory.resolve("sub/below.conf"), "include \"deeper\"");
    Files.writeString(directory.resolve("sub/deeper.conf"), "train.epochs = 6");
    Files.writeString(parent.resolve("outside.conf"), "train.epochs = 8");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "include \"beside.conf\"",
        "include \"beside\"",
        "include file(\"beside.conf\")",
        "include required(\"beside.conf\")",
        "include \"sub/../beside.conf\""
      })
  void includesFileBesideRecipe(String include) throws IOException {
    assertThat(settings(include).get(Options.EPOCHS)).isEqualTo(5);
  }

  @Test
  void includesFileBelowAndWhatThatIncludes() throws IOException {
    assertThat(settings("include \"sub/below.conf\"").get(Options.EPOCHS)).isEqualTo(6);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "include \"../outside.conf\"",
        "include \"../outside\"",
        "include file(\"../outside.conf\")",
        "include file(\"/etc/hostname\")",
        "include \"/etc/hostname\"",
        "include \"../not-there.conf\"",
        "include \"sub/../../outside.conf\"",
        "include url(\"http://127.0.0.1:9/x.conf\")",
        "include url(\"file:/etc/hostname\")",
        "include \"http://127.0.0.1:9/x.conf\"",
        "include \"file:/etc/hostname\"",
        "include classpath(\"reference.conf\")",
        "include required(classpath(\"reference.conf\"))"
      })
  void rejectsOtherIncludes(String include) throws IOException {
    Path recipe = recipe(include);

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("recipe '%s' includes '", recipe))
        .hasMessageEndingWith(
            "', but only files in the directory of the recipe or below can be included; copy the"
                + " file there and include it by its name");
  }

  @Test
  void rejectsLinkThatLeadsOutOfDirectory() throws IOException {
    Files.createSymbolicLink(directory.resolve("link.conf"), parent.resolve("outside.conf"));
    Path recipe = recipe("include \"link.conf\"");

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("includes 'link.conf', but only files in the directory");
  }

  @ParameterizedTest
  @CsvSource({
    "recipe.conf, recipe.conf, recipe.conf -> recipe.conf",
    "recipe, recipe.conf, recipe.conf -> recipe.conf",
    "self/recipe.conf, recipe.conf, recipe.conf -> recipe.conf",
    "first.conf, first.conf, first.conf -> second.conf -> first.conf"
  })
  void rejectsFileThatIncludesItself(String include, String file, String chain) throws IOException {
    Files.createSymbolicLink(directory.resolve("self"), directory);
    Files.writeString(directory.resolve("first.conf"), "include \"second.conf\"");
    Files.writeString(directory.resolve("second.conf"), "include \"first\"");
    Path recipe = recipe(format("include \"%s\"", include));

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "recipe '%s' cannot be read, because '%s' includes itself: %s; remove one of these"
                + " includes",
            recipe, file, chain);
  }

  @Test
  void includesFileTwice() throws IOException {
    assertThat(settings("include \"beside\"\ninclude \"beside.conf\"").get(Options.EPOCHS))
        .isEqualTo(5);
  }

  @Test
  void doesNotReadClassPathForFileThatIsMissing() throws IOException {
    Path recipe = recipe("include required(\"reference.conf\")");

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "recipe '%s' cannot be read (%s (No such file or directory)); check that it and the"
                + " files that it includes exist and are readable",
            recipe, directory.resolve("reference.conf"));
  }

  @Test
  void rejectsDirectory() {
    assertThatThrownBy(() -> Settings.parse(directory, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("recipe '%s' is a directory; name one of the recipes in it", directory);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void rejectsFileThatCannotBeRead() {
    Path memory = Path.of("/proc/self/mem"); // not even by root

    assertThatThrownBy(() -> Settings.parse(memory, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("recipe '/proc/self/mem' cannot be read (");
  }

  @Test
  void rejectsIncludedFileThatCannotBeRead() throws IOException {
    Files.createDirectory(directory.resolve("directory.conf"));
    Path recipe = recipe("include \"directory.conf\"");

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            format("recipe '%s' cannot be read (%s", recipe, directory.resolve("directory.conf")));
  }

  @Test
  void substitutesEnvironmentVariables() throws IOException {
    assertThat(settings("train.epochs = ${EPOCHS}").get(Options.EPOCHS)).isEqualTo(7);
    assertThat(settings("train.epochs = 3\ntrain.epochs = ${?UNSET}").get(Options.EPOCHS))
        .isEqualTo(3);
  }

  @Test
  void showsSecretsByNameOfTheirVariable() throws IOException {
    Settings settings = settings("corpus.text = \"x-\"${MY_TOKEN}\ntrain.epochs = ${EPOCHS}");

    assertThat(settings.get(Options.CORPUS_TEXT)).isEqualTo("x-hf_xyzzy");
    assertThat(settings.allValues())
        .containsEntry("corpus.text", "x-${MY_TOKEN}")
        .containsEntry("train.epochs", "7");
    assertThat(settings.with(Map.of("corpus.text", "given")).allValues())
        .containsEntry("corpus.text", "given");
  }

  @Test
  void messagesDoNotContainSecrets() throws IOException {
    RecipeFile recipe =
        RecipeFile.load(recipe("train.epochs = ${MY_TOKEN}\nlog = ${MY_TOKEN}"), ENVIRONMENT);

    assertThatThrownBy(() -> Settings.of(recipe, List.of("seed=hf_xyzzy")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("train.epochs must be")
        .hasMessageContaining("but is '${MY_TOKEN}'")
        .hasMessageNotContaining("xyzzy");
  }

  @Test
  void hidesShortSecretWhereItIsValueOnly() throws IOException {
    RecipeFile recipe =
        RecipeFile.load(
            recipe("train.epochs = ${SHORT_KEY}\ncorpus.text = ${SHORT_KEY}"), ENVIRONMENT);

    assertThatThrownBy(() -> Settings.of(recipe, List.of("seed=task4")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("but is '${SHORT_KEY}'")
        .hasMessageContaining("'seed'");
    assertThat(Settings.of(recipe, List.of("train.epochs=2")).allValues())
        .containsEntry("corpus.text", "${SHORT_KEY}");
    assertThat(Errors.invalid("block4", "correct it")).hasMessage("block4; correct it");
  }

  private Settings settings(String text) throws IOException {
    return Settings.of(RecipeFile.load(recipe(text), ENVIRONMENT), List.of());
  }

  private Path recipe(String text) throws IOException {
    return Files.writeString(directory.resolve("recipe.conf"), text);
  }
}
