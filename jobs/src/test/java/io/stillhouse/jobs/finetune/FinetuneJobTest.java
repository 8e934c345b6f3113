package io.stillhouse.jobs.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fine-tunes the tiny masked LM on tables, and evaluates the result as a teacher. */
@Tag("spark")
class FinetuneJobTest {
  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static Path corpus;
  private static FinetuneJob.Result tuned;
  private static Evaluation evaluation;

  @BeforeAll
  static void finetunesAndEvaluatesOnce() throws IOException {
    spark = Tiny.spark();
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 240, "yes", "no");
    Settings settings = recipe(shared, corpus).settings("student.dropout=0", "train.epochs=4");
    tuned = new FinetuneJob(spark, settings).run();
    evaluation = new EvaluateJob(spark, settings).run();
  }

  @Test
  void learnsClasses() throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(shared.resolve("tuned")).spec();

    assertThat(tuned.training().steps()).isEqualTo(120);
    assertThat(spec.head().labels()).containsExactly("no", "yes");
    assertThat(spec.layers()).isEqualTo(Tiny.LAYERS);
    assertThat(metric(evaluation, "accuracy")).isGreaterThan(0.8);
    assertThat(metric(evaluation, "agreement")).isEqualTo(1.0);
  }

  @Test
  void deletesWorkingDirectory() {
    assertThat(shared.resolve("_tuned-work")).doesNotExist();
  }

  @Test
  void rejectsExistingModel() {
    assertThatThrownBy(() -> new FinetuneJob(spark, recipe(shared, corpus).settings()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("tuned' exists already; remove it, or set another directory");
  }

  @Test
  void evaluateSkipsRowsWithoutText() throws IOException {
    Path rows = Files.copy(corpus, directory.resolve("rows.tsv"));
    Files.writeString(rows, "  \tyes\n", StandardOpenOption.APPEND);

    EvaluateJob job = new EvaluateJob(spark, recipe(shared, rows).settings(evaluateTo(directory)));
    Evaluation without = job.run();

    assertThat(without.models()).isEqualTo(evaluation.models());
    assertThat(without.data().leftOut()).isEqualTo(1);
    assertThat(job.leftOut())
        .contains("left out 1 of 241 rows: empty (1, such as row 'rows.tsv:240')");
  }

  @Test
  void exportCopiesModel() throws IOException {
    new ExportJob(export(directory.resolve("export"))).run(null);

    assertThat(Tiny.files(directory.resolve("export")).keySet())
        .filteredOn(name -> !name.endsWith(".crc"))
        .containsExactlyInAnyOrder(
            "config.json",
            "model.safetensors",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "README.md",
            "export.json");
    assertThat(directory.resolve("export/model.safetensors"))
        .hasSameBinaryContentAs(shared.resolve("tuned/model.safetensors"));
  }

  @Test
  void exportRejectsExistingDirectory() throws IOException {
    Settings export = export(Files.createDirectory(directory.resolve("export")));

    assertThatThrownBy(() -> new ExportJob(export))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("export' already exists");
  }

  @Test
  void keepsBestWeightsOnValidationRows() throws IOException {
    Path dev = Tiny.labelled(directory.resolve("dev.tsv"), 80, "yes", "no");
    Settings settings =
        recipe(directory, corpus)
            .settings(
                "finetune.validation=" + dev,
                "train.epochs=8",
                "train.early-stopping-patience=2",
                "train.learning-rate=5e-3",
                "evaluate.path=" + dev,
                "evaluate.metrics=[matthews]");

    TrainedStudent training = new FinetuneJob(spark, settings).run().training();

    assertThat(training.training().chosen().by()).isEqualTo("matthews");
    assertThat(training.training().chosen().step() % 30).isZero();
    assertThat(training.losses().validation())
        .containsEntry("matthews", training.training().chosen().value())
        .containsKeys("hard-label", "accuracy", "f1");
    assertThat(metric(new EvaluateJob(spark, settings).run(), "matthews"))
        .isEqualTo(training.training().chosen().value());
  }

  @Test
  void learnsSeveralLabelsPerRow() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 240, "male|third", "third");

    Evaluation evaluation =
        finetuneAndEvaluate(
            rows, "finetune.task=multi-label", "student.dropout=0", "train.epochs=4");

    EncoderSpec spec = HuggingFaceDirectory.open(directory.resolve("tuned")).spec();
    assertThat(spec.head().task()).isEqualTo(Task.MULTI_LABEL);
    assertThat(spec.head().labels()).containsExactly("male", "third");
    assertThat(metric(evaluation, "exact-match")).isGreaterThan(0.8);
    assertThat(metric(evaluation, "micro-f1")).isGreaterThan(0.9);
    assertThat(metric(evaluation, "agreement")).isEqualTo(1.0);
  }

  @Test
  void findsClassesAsCacheReadsThem() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 24, "yes", "no");
    Files.writeString(rows, Files.readString(rows).replaceFirst("\tyes\n", "\tyes \n"));

    new FinetuneJob(spark, recipe(directory, rows).settings("train.max-steps=1")).run();

    assertThat(HuggingFaceDirectory.open(directory.resolve("tuned")).spec().head().labels())
        .containsExactly("no", "yes");
  }

  @Test
  void learnsRegression() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 160, "1.5", "-0.5");

    Evaluation evaluation =
        finetuneAndEvaluate(
            rows, "finetune.task=regression", "student.dropout=0", "train.epochs=5");

    assertThat(HuggingFaceDirectory.open(directory.resolve("tuned")).spec().head().task())
        .isEqualTo(Task.REGRESSION);
    assertThat(metric(evaluation, "pearson")).isGreaterThan(0.7);
  }

  private Evaluation finetuneAndEvaluate(Path rows, String... more) throws IOException {
    Settings settings = recipe(directory, rows).settings(more);
    new FinetuneJob(spark, settings).run();
    return new EvaluateJob(spark, settings).run();
  }

  private static double metric(Evaluation evaluation, String name) {
    return evaluation.models().get(0).metrics().get(name);
  }

  private static Settings export(Path to) {
    return TinyRecipe.empty()
        .settings(
            "export.from=" + shared.resolve("tuned"),
            "export.to=" + to,
            "export.formats=huggingface");
  }

  /** Returns a recipe that fine-tunes the tiny masked LM and evaluates the result. */
  private static TinyRecipe recipe(Path directory, Path rows) {
    return TinyRecipe.labelled(rows)
        .teacher(directory.resolve("tuned"))
        .with(
            "finetune.from=" + Tiny.MLM,
            "finetune.to=" + directory.resolve("tuned"),
            "train.path=" + directory.resolve("students"),
            "train.batch-size=8",
            "train.learning-rate=2e-3",
            "train.threads=1",
            evaluateTo(directory));
  }

  private static String evaluateTo(Path directory) {
    return "evaluate.output=" + directory.resolve("evaluation.json");
  }
}
