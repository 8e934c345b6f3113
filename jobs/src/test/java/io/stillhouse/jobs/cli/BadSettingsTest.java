package io.stillhouse.jobs.cli;

import static io.stillhouse.jobs.Tiny.mistake;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Checks that mistakes in recipes and settings are reported by the command line before Spark
 * starts.
 */
class BadSettingsTest {
  @TempDir private Path directory;

  @Test
  void reportsAllMissingKeysAtOnce() {
    assertThat(mistake("cache", "corpus.path=rows.tsv"))
        .contains("teacher.path is missing")
        .contains("cache.path is missing")
        .contains("set it in the recipe, or as cache.path=...");
  }

  @Test
  void suggestsNearestKeyForUnknownKey() {
    assertThat(mistake("cache", "corpus.max-lenght=30"))
        .contains("unknown key 'corpus.max-lenght'; did you mean 'corpus.max-length'?");
  }

  @Test
  void reportsInvalidValueWithItsRule() {
    assertThat(mistake("cache", "targets.dtype=float17"))
        .contains("targets.dtype must be one of float32, float16, int8, but is 'float17'");
  }

  @Test
  void rejectsMissingRecipe() {
    assertThat(mistake("cache", directory.resolve("no.conf").toString()))
        .contains("recipe does not exist: '" + directory.resolve("no.conf"));
  }

  @Test
  void rejectsCommandWithoutRecipe() {
    assertThat(mistake("cache")).contains("no recipe is given; name a recipe file, such as");
  }

  @Test
  void rejectsInvalidHocon() throws IOException {
    Path recipe = Files.writeString(directory.resolve("bad.conf"), "cache { path = ");
    assertThat(mistake("cache", recipe.toString()))
        .contains("recipe '" + recipe + "' is not HOCON")
        .contains("see conf/ for examples");
  }

  @Test
  void explainsFullDiskInsteadOfPrintingStackTrace() throws IOException {
    Path recipe = Files.writeString(directory.resolve("full.conf"), "cache.path = cache");
    PrintStream standard = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setErr(new PrintStream(printed, true, UTF_8));
    try {
      int code =
          Stillhouse.run(
              settings -> {
                throw new Error(new IOException("No space left on device"));
              },
              "finetune",
              recipe.toString());
      assertThat(code).isEqualTo(2);
    } finally {
      System.setErr(standard);
    }
    assertThat(printed.toString(UTF_8))
        .startsWith("stillhouse: a disk is full (No space left on device); ")
        .hasLineCount(1);
  }

  static List<Arguments> brokenSettings() {
    return List.of(
        Arguments.of(
            "cache task=wnli",
            "task must be one of sst-2, cola, mrpc, rte, sts-b, qnli, qqp, mnli, or empty, but is"
                + " 'wnli'"),
        Arguments.of("augment corpus.path=rows.tsv", "augment.to is missing"),
        Arguments.of(
            "augment corpus.path=rows.tsv augment.to=larger augment.candidates=2147483647",
            "augment.candidates must be a whole number from 1 to 10000, but is '2147483647'"),
        Arguments.of("head-importance corpus.path=rows.tsv", "teacher.path is missing"),
        Arguments.of(
            "head-importance corpus.path=rows.tsv teacher.path=bert head-importance.rows=1",
            "head-importance.rows must be a whole number >= 2, but is '1'"),
        Arguments.of("train loss.teachers=5", "loss.teachers must be a list of teachers, such as"),
        Arguments.of(
            "train loss.hard-label.class-weights=[0,0]",
            "loss.hard-label.class-weights must be balanced, or a list of numbers >= 0, not all 0"),
        Arguments.of("train train.stages=5", "train.stages must be a list of stages, such as"),
        Arguments.of(
            "train train.stages=[{name=a,student.layers=2}]",
            "'student.layers' cannot be in train.stages, because all stages share it; set it"
                + " outside"),
        Arguments.of(
            "sweep sweep.over.train.stages=[a]",
            "'train.stages' cannot be in sweep.over, because all students of a sweep share it"),
        Arguments.of(
            "sweep sweep.over.student.layers=[]",
            "sweep.over.student.layers must be a list of values, but is empty"),
        Arguments.of(
            "finetune corpus.classes=[a,b,a]",
            "corpus.classes must be a list of distinct names such as [a, b], but is"
                + " '[a,b,a]'"));
  }

  @ParameterizedTest
  @MethodSource("brokenSettings")
  void rejectsInvalidSettings(String command, String message) {
    assertThat(mistake(command.split(" "))).contains(message);
  }
}
