package io.stillhouse.config;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.loss.Term;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.Sweep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class OptionsTest {
  private static final Path RECIPES = Path.of("../conf");

  static List<Option<?>> options() {
    return Options.ALL;
  }

  static List<Path> recipes() throws IOException {
    try (Stream<Path> files = Files.list(RECIPES)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith(".conf"))
          .filter(file -> !file.getFileName().toString().startsWith("spark-"))
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("options")
  void everyDefaultIsValid(Option<?> option) {
    if (option.defaultValue() != null) {
      assertThat(passes(option, option.defaultValue())).as(option.key()).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("options")
  void optionsDocumentKeysAndRulesConsistently(Option<?> option) {
    assertThat(option.key()).matches("[a-z0-9-]+(\\.[a-z0-9-]+)*");
    assertThat(option.doc()).endsWith(".");
    assertThat(option.ruleInWords()).isNotBlank().doesNotEndWith(".");
  }

  @Test
  void keysAreUnique() {
    assertThat(Options.ALL).hasSizeGreaterThan(40);
    assertThat(Options.ALL.stream().map(Option::key)).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @EnumSource(Term.class)
  void everyTermHasWeightAndCanRankSweep(Term term) {
    assertThat(Options.ALL.stream().map(Option::key)).contains("loss." + term.id() + ".weight");
    assertThat(passes(Options.HALVING_BY, term.id())).isTrue();
  }

  @Test
  void renamedKeysAreUnused() {
    assertThat(Keys.RENAMED.keySet())
        .doesNotContainAnyElementsOf(Options.ALL.stream().map(Option::key).toList());
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyRecipeParses(Path recipe) {
    assertThatCode(() -> Settings.parse(recipe, List.of())).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyRecipeNamesTeacherAndStudentOrAugmentedCorpus(Path recipe) {
    Settings settings = Settings.parse(recipe, List.of());

    if (settings.has(Options.AUGMENT_TO)) {
      assertThat(settings.has(Options.CORPUS_PATH)).isTrue();
      return;
    }
    assertThat(settings.has(Options.TEACHER)).isTrue();
    List<Sweep.Student> students = Sweep.students(settings);
    Settings whole = students.isEmpty() ? settings : settings.with(students.get(0).values());
    assertThatCode(() -> Recipe.requireStudent(whole)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "corpus.classes|[a, b, a]|a list of distinct names such as [a, b]",
        "augment.candidates|0|a whole number from 1 to 10000",
        "augment.candidates|2147483647|a whole number from 1 to 10000"
      })
  void rejectsInvalidValues(String key, String value, String rule) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(key + "=" + value)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(format("%s must be %s, but is '%s'", key, rule, value));
  }

  private static <T> boolean passes(Option<T> option, String text) {
    return option.rule().test(option.parser().apply(text));
  }
}
