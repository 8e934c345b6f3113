package io.stillhouse.jobs.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DistillRecipeTest {
  @TempDir private Path directory;
  private EncoderSpec teacher;

  @BeforeEach
  void openTeacher() throws IOException {
    teacher = HuggingFaceDirectory.open(Tiny.CLS).spec();
  }

  @ParameterizedTest
  @ValueSource(strings = {"007", "null", "1.50", "a b", "say \"x\"", "ünï", "-1", "{x}", "1e5"})
  void recipeKeepsTextsOfUser(String text) {
    assertThat(read("student.word-vectors=" + text).get(Options.WORD_VECTORS)).isEqualTo(text);
  }

  @Test
  void recipeKeepsListsOfUser() {
    assertThat(read("corpus.classes=[01, \"a, b\", 2, null]").get(Options.CORPUS_CLASSES))
        .containsExactly("01", "a, b", "2", "null");
  }

  @Test
  void recipeNamesFilesOfDirectoryWithSpecialCharacters() {
    Path odd = directory.resolve("it's, ünï 100%");

    Settings recipe = Settings.parseText(text(odd, "", "cola"), List.of());

    assertThat(recipe.get(Options.CORPUS_PATH)).containsExactly(odd + "/data/train");
    assertThat(recipe.get(Options.CACHE)).isEqualTo(odd + "/cache");
  }

  @Test
  void studentStartsFromDirectoryWithNameOfOption() {
    Settings recipe = Settings.parseText(text(directory, "teacher", "cola"), List.of());

    assertThat(recipe.get(Options.STUDENT_INIT)).isEqualTo("./teacher");
  }

  @Test
  void namedTaskKeepsItsMetricAndLength() {
    Settings recipe = Recipe.prepare(Settings.parseText(text(directory, "", "cola"), List.of()));

    assertThat(recipe.get(Options.EVALUATE_METRICS)).containsExactly("matthews");
    assertThat(recipe.get(Options.MAX_LENGTH)).isEqualTo(64);
  }

  @Test
  void keepsLastWeightsIfUserSaysSoOrTrainsInRounds() {
    for (String setting : List.of("train.keep=last", "train.workers=2")) {
      Settings recipe = read(setting);
      assertThat(recipe.get(Options.KEEP)).isEqualTo("last");
      assertThat(recipe.has(Options.EVAL_EVERY)).isFalse();
    }
    assertThat(read("train.keep=auto").has(Options.EVAL_EVERY)).isTrue();
  }

  @Test
  void rejectsStudentThatTeacherCannotTeach() throws IOException {
    Storage storage = Storage.ofThisProcess();
    DistillRecipe recipe = recipe(directory, "student.layers=4");

    assertThatThrownBy(() -> recipe.check("t", teacher, "", storage))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("4");
    recipe(directory, "student.layers=2").check("t", teacher, "", storage);
  }

  @Test
  void softensLabelsOfRowsThatTeacherWasTrainedOn() {
    assertThat(read("student.name=x").get(Options.TEMPERATURE)).isEqualTo(4);
    DistillRequest request = DistillRequest.of("table.tsv", directory, List.of());
    DistillRecipe unlabelled =
        new DistillRecipe(request.settings(), request, split(new TableSplit.Rows(20, 20, 200, 0)));
    assertThat(
            Settings.parseText(unlabelled.text("t", teacher, ""), List.of())
                .get(Options.TEMPERATURE))
        .isEqualTo(1);
  }

  private Settings read(String argument) {
    DistillRecipe recipe = recipe(directory, argument);
    return Settings.parseText(recipe.text("t", teacher, ""), List.of());
  }

  private String text(Path to, String base, String task) {
    return recipe(to, "task=" + task).text("t", teacher, base);
  }

  private static DistillRecipe recipe(Path to, String argument) {
    DistillRequest request = DistillRequest.of("table.tsv", to, List.of(argument));
    return new DistillRecipe(
        request.settings(), request, split(new TableSplit.Rows(120, 60, 0, 0)));
  }

  private static TableSplit.Result split(TableSplit.Rows rows) {
    return new TableSplit.Result(
        new TableColumns("text", "", "label"),
        "classification",
        Map.of("no", 60L, "yes", 60L),
        rows,
        List.of(),
        List.of());
  }
}
