package io.stillhouse.config;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
  @TempDir private Path directory;

  @Test
  void includesFileNextToRecipeGivenWithoutDirectory() throws IOException {
    Path included = Files.writeString(Path.of("included-by-a-test.conf"), "train.epochs = 7");
    Path recipe =
        Files.writeString(
            Path.of("recipe-of-a-test.conf"), "include \"included-by-a-test.conf\"\n");
    try {
      assertThat(Settings.parse(recipe, List.of()).get(Options.EPOCHS)).isEqualTo(7);
    } finally {
      Files.delete(recipe);
      Files.delete(included);
    }
  }

  @Test
  void argumentsOverrideRecipeWhichOverridesDefaults() throws IOException {
    Path recipe = recipe("train { epochs = 7, batch-size = 8 }");

    Settings settings = Settings.parse(recipe, List.of("train.epochs=9"));

    assertThat(settings.get(Options.EPOCHS)).isEqualTo(9);
    assertThat(settings.get(Options.BATCH_SIZE)).isEqualTo(8);
    assertThat(settings.get(Options.WARMUP_STEPS)).isEqualTo(0.1);
  }

  @Test
  void addedValuesOverrideArguments() {
    Settings settings =
        Settings.parse(null, List.of("train.epochs=9")).with(Map.of("train.epochs", "2"));

    assertThat(settings.get(Options.EPOCHS)).isEqualTo(2);
  }

  @Test
  void readsListsFromRecipeAndArguments() throws IOException {
    Path recipe = recipe("targets.hidden = [0, 3, 6]\ncorpus.path = [a.tsv, \"b c.tsv\"]");

    Settings settings = Settings.parse(recipe, List.of("targets.attention=[ 1,2 ]"));

    assertThat(settings.get(Options.TARGETS_HIDDEN)).containsExactly(0, 3, 6);
    assertThat(settings.get(Options.TARGETS_ATTENTION)).containsExactly(1, 2);
    assertThat(settings.get(Options.CORPUS_PATH)).containsExactly("a.tsv", "b c.tsv");
  }

  @Test
  void readsSingleValueAsList() {
    Settings settings = Settings.parse(null, List.of("corpus.path=a.tsv"));

    assertThat(settings.get(Options.CORPUS_PATH)).containsExactly("a.tsv");
  }

  @Test
  void onlyFirstEqualsSignSeparatesKeyFromValue() {
    Settings settings = Settings.parse(null, List.of("cache.path=/data/date=2020"));

    assertThat(settings.get(Options.CACHE)).isEqualTo("/data/date=2020");
  }

  @Test
  void readsEnvironmentVariablesThatAreSet() throws IOException {
    Path recipe =
        recipe(
            """
            teacher.path = here
            teacher.path = ${?STILLHOUSE_TEST_UNSET}
            cache.path = here
            cache.path = ${?PATH}
            """);

    Settings settings = Settings.parse(recipe, List.of());

    assertThat(settings.get(Options.TEACHER)).isEqualTo("here");
    assertThat(settings.get(Options.CACHE)).isEqualTo(System.getenv("PATH"));
  }

  @Test
  void recipeOverridesIncludedRecipe() throws IOException {
    Files.writeString(directory.resolve("base.conf"), "train.epochs = 4\ntrain.batch-size = 16\n");
    Path recipe = recipe("include \"base.conf\"\ntrain.epochs = 5\n");

    Settings settings = Settings.parse(recipe, List.of());

    assertThat(settings.get(Options.EPOCHS)).isEqualTo(5);
    assertThat(settings.get(Options.BATCH_SIZE)).isEqualTo(16);
  }

  @Test
  void reportsEveryProblemAtOnce() throws IOException {
    Path recipe = recipe("loss.soft-label.temperature = -1\ntrain.epoch = 3");

    assertThatThrownBy(() -> Settings.parse(recipe, List.of("train.batch-size=many", "--verbose")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            4 problems:
              - '--verbose' is not key=value; write settings such as train.epochs=3
              - unknown key 'train.epoch'; did you mean 'train.epochs'?
              - loss.soft-label.temperature must be a finite number > 0, but is '-1'
              - train.batch-size must be a whole number >= 1, but is 'many'\
            """);
  }

  @ParameterizedTest
  @CsvSource({
    "train.lerning-rate, train.learning-rate",
    "student.layermap, student.layer-map",
    "loss.hidden_mse.weight, loss.hidden-mse.weight"
  })
  void suggestsNearestKey(String wrong, String right) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(wrong + "=1")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(format("unknown key '%s'; did you mean '%s'?", wrong, right));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "train.learning-rat=1|'train.learning-rat'; did you mean 'train.learning-rate'?",
        "sweep.over.train.learning-rat=[1]|'train.learning-rat' in sweep.over; did you mean"
            + " 'train.learning-rate'?",
        "train.stages=[{ name = a, train.learning-rat = 1 }]|'train.learning-rat' in train.stages;"
            + " did you mean 'train.learning-rate'?",
        "loss.teachers=[{ name = b, cache = c, wieght = 1 }]|'wieght' of teacher 'b' in"
            + " loss.teachers; did you mean 'weight'?"
      })
  void suggestsNearestNestedKey(String argument, String problem) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(argument)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("unknown key " + problem);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "loss.soft-label.kind|ce|one of auto, kl, mse",
        "train.beta1|1|a number >= 0 and < 1",
        "train.learning-rate|NaN|a finite number > 0",
        "corpus.header|yes|true or false",
        "student.name|../up|letters, digits, '.', '_' or '-'",
        "targets.hidden|[0, -3]|a list of whole numbers >= 0 such as [0, 3, 6]",
        "student.layer-map|middle|uniform, top, bottom or a list such as [0, 3, 6, 9, 12]",
        "student.layer-map|[0, 99999999999]|uniform, top, bottom or a list such as [0, 3, 6, 9, 12]"
      })
  void reportsRuleThatValueViolates(String key, String value, String rule) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(key + "=" + value)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(format("%s must be %s, but is '%s'", key, rule, value));
  }

  @Test
  void validatesAddedValues() {
    Settings settings = Settings.parse(null, List.of());

    assertThatThrownBy(() -> settings.with(Map.of("train.epochs", "0")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("train.epochs must be a whole number >= 1, but is '0'");
  }

  @Test
  void reportsAllMissingRequiredOptions() {
    Settings settings = Settings.parse(null, List.of("cache.path=c"));

    assertThatThrownBy(() -> settings.require(Options.TEACHER, Options.CACHE, Options.EXPORT_TO))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            2 problems:
              - teacher.path is missing (Hugging Face directory of the teacher. The import command creates one.); set it in the recipe, or as teacher.path=...
              - export.to is missing (Directory of the exported student.); set it in the recipe, or as export.to=...\
            """);
  }

  @Test
  void reportsMissingValueWhenRead() {
    Settings settings = Settings.parse(null, List.of());

    assertThatThrownBy(() -> settings.get(Options.STUDENT_LAYERS))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.layers is missing (Number of student blocks. Required unless the student"
                + " is a BiLSTM.); set it in the recipe, or as student.layers=...");
  }

  @Test
  void rejectsMissingRecipe() {
    Path nowhere = directory.resolve("nowhere.conf");

    assertThatThrownBy(() -> Settings.parse(nowhere, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "recipe does not exist: '%s'; check the spelling, and that every machine of the"
                    + " cluster can read it",
                nowhere));
  }

  @Test
  void rejectsInvalidHocon() throws IOException {
    Path recipe = recipe("train { epochs = 3");

    assertThatThrownBy(() -> Settings.parse(recipe, List.of()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("recipe '%s' is not HOCON (", recipe))
        .hasMessageEndingWith("; see conf/ for examples");
  }

  @Test
  void recordsEveryEffectiveValue() {
    Map<String, String> inForce =
        Settings.parse(null, List.of("train.epochs=9", "teacher.path=t")).allValues();

    assertThat(inForce)
        .containsEntry("train.epochs", "9")
        .containsEntry("teacher.path", "t")
        .containsEntry("train.warmup-steps", "0.1")
        .doesNotContainKey("cache.path");
  }

  @Test
  void listenerReceivesKeysThatAreRead() {
    Set<String> read = new TreeSet<>();
    Settings settings = Settings.parse(null, List.of("train.epochs=9")).observed(read::add);

    settings.get(Options.EPOCHS);
    settings.with(Map.of("train.epochs", "2")).has(Options.CACHE);
    settings.allValues();

    assertThat(read).containsExactly("cache.path", "train.epochs");
  }

  private Path recipe(String text) throws IOException {
    return Files.writeString(directory.resolve("recipe.conf"), text);
  }

  @Test
  void rejectsCredentialsInPath() {
    assertThatThrownBy(
            () -> Settings.parse(null, List.of("corpus.path=s3a://AKIA:secret@bucket/rows.tsv")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "corpus.path must not contain credentials, but is 's3a://***@bucket/rows.tsv'; set them"
                + " in Spark's configuration");
  }
}
