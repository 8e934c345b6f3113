package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import io.stillhouse.jobs.plan.PlanJob;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.assertj.core.util.Throwables;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks that a model fits the rows of a recipe, which every command makes before any work. */
@Tag("spark")
class SharedChecksTest {
  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static Path pairs;
  private static Path oneSegment;
  private static Path words;

  private final SparkSession spark = Tiny.spark();

  @BeforeAll
  static void writeModels() throws IOException {
    pairs =
        Files.writeString(
            shared.resolve("pairs.tsv"), "a\tb\tlabel\nthe of\tand to\t0\nin\tis was\t1\n");
    words =
        Files.writeString(
            shared.resolve("words.tsv"), "text\tlabel\nthe of\tneg\nin is\tpos\nto\tmeh\n");
    oneSegment = BrokenModels.withOneSegment(Tiny.CLS, shared.resolve("one-segment"));
  }

  @Test
  void everyCommandRejectsPairsForModelWithOneSegment() {
    commands(oneSegment, "corpus.text=a", "corpus.pair=b", "corpus.label=label")
        .forEach(
            (command, job) ->
                assertThatThrownBy(job)
                    .as(command)
                    .isInstanceOf(StillhouseException.class)
                    .hasMessageMatching(
                        "(?s)corpus.pair needs a second segment, but [^;]*'s type_vocab_size is"
                            + " 1; .*"));
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void everyCommandRejectsTextsLongerThanPositions() {
    commands(Tiny.CLS, "corpus.text=a", "corpus.label=label", "corpus.max-length=41")
        .forEach(
            (command, job) ->
                assertThatThrownBy(job)
                    .as(command)
                    .isInstanceOf(StillhouseException.class)
                    .hasMessageMatching(
                        "corpus.max-length must be at most the positions of .*, 40, but is '41';"
                            + " lower it"));
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void everyCommandWithTeacherRejectsClassesThatAreNotModels() {
    Map<String, ThrowingCallable> commands =
        commands(Tiny.CLS, "corpus.text=text", "corpus.label=label", "corpus.classes=[neg, pos]");
    commands.remove("finetune"); // its model gets these classes
    commands.forEach(
        (command, job) ->
            assertThatThrownBy(job)
                .as(command)
                .isInstanceOf(StillhouseException.class)
                .hasMessageMatching(
                    "corpus.classes is \\[neg, pos\\] \\(2 names\\), but .* has 3 classes"
                        + " \\[LABEL_0, LABEL_1, LABEL_2\\]; .*"));
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void cachesSingleTextsOfModelWithOneSegment() throws IOException {
    Settings settings =
        settings(oneSegment, "corpus.path=" + pairs, "corpus.text=a", "corpus.label=label");
    assertThat(new CacheJob(spark, settings).run().rows()).isEqualTo(2);
  }

  @Test
  void evaluateRejectsStudentWithFewerPositions() throws IOException {
    Path small = BrokenModels.withPositions(Tiny.CLS, 20, directory.resolve("small"));
    assertThatThrownBy(
            () ->
                new EvaluateJob(
                    spark, settings(Tiny.CLS, "corpus.text=a", "evaluate.models=" + small)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.max-length must be at most the positions of small, 20, but is '40'; lower it");
  }

  @Test
  void evaluateRejectsStudentOfOtherClasses() throws IOException {
    Head named = new Head(Task.CLASSIFICATION, List.of("neg", "meh", "pos"));
    Path student = BrokenModels.withHead(Tiny.CLS, named, directory.resolve("student"));
    assertThatThrownBy(
            () ->
                new EvaluateJob(
                    spark, settings(Tiny.CLS, "corpus.text=a", "evaluate.models=" + student)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            "student has the classes [neg, meh, pos], but the teacher [LABEL_0, LABEL_1, LABEL_2];")
        .hasMessageEndingWith("if only their names differ, set corpus.classes");
    assertThatCode(
            () ->
                new EvaluateJob(
                    spark,
                    settings(
                        Tiny.CLS,
                        "corpus.text=a",
                        "corpus.classes=[neg, meh, pos]",
                        "evaluate.models=" + student)))
        .doesNotThrowAnyException();
  }

  @Test
  void evaluateRejectsStudentOfAnotherTask() {
    assertThatThrownBy(
            () ->
                new EvaluateJob(
                    spark, settings(Tiny.CLS, "corpus.text=a", "evaluate.models=" + Tiny.REG)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            "bert-tiny-reg-v1 does not predict what the teacher predicts: its head is regression"
                + " and it has 120 tokens, but the teacher's is classification of 3 [LABEL_0,"
                + " LABEL_1, LABEL_2] and it has 120;");
  }

  @Test
  void labelThatIsNoClassPointsToKeyThatMapsIt() {
    Settings settings =
        settings(Tiny.CLS, "corpus.path=" + words, "corpus.text=text", "corpus.label=label");
    assertThatThrownBy(() -> new CacheJob(spark, settings).run())
        // Every row has such a label; the task that fails first names its own.
        .satisfies(
            error ->
                assertThat(Throwables.getStackTrace(error))
                    .containsPattern(
                        "the label of row 'words\\.tsv:[0-9]+' must be one of 3 classes"))
        .hasStackTraceContaining("set corpus.classes to the names in the data");
  }

  @Test
  void saysThatMaskedLmIgnoresLabels() throws IOException {
    Settings settings = settings(Tiny.MLM, "corpus.text=a", "corpus.label=label");
    assertThat(new CacheJob(spark, settings).notes())
        .containsExactly(
            "corpus.label is 'label', but no labels are cached, because the head of the teacher is"
                + " masked-lm");
  }

  /** Returns the constructors of the jobs, which check their recipes. */
  private Map<String, ThrowingCallable> commands(Path model, String... more) {
    List<String> values = new ArrayList<>(List.of(more));
    values.add("evaluate.models=" + model);
    Settings settings = settings(model, values.toArray(String[]::new));
    Map<String, ThrowingCallable> commands = new LinkedHashMap<>();
    commands.put("cache", () -> new CacheJob(spark, settings));
    commands.put("plan", () -> new PlanJob(spark, settings));
    commands.put("evaluate", () -> new EvaluateJob(spark, settings));
    commands.put("head-importance", () -> new HeadImportanceJob(spark, settings));
    commands.put("finetune", () -> new FinetuneJob(spark, settings));
    return commands;
  }

  private Settings settings(Path model, String... more) {
    return Tiny.settings(
        List.of(
            "teacher.path=" + model,
            "corpus.path=" + pairs,
            "corpus.max-length=40",
            "cache.path=" + directory.resolve("cache"),
            "evaluate.output=" + directory.resolve("evaluation.json"),
            "head-importance.output=" + directory.resolve("heads.json"),
            "plan.output=" + directory.resolve("plan.json"),
            "finetune.from=" + model,
            "finetune.to=" + directory.resolve("tuned"),
            "student.layers=1",
            "loss.soft-label.weight=1"),
        more);
  }
}
