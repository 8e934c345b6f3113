package io.stillhouse.jobs.finetune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
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
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class FinetuneJobTest {
  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void learnsClassesAndExports() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 240, "yes", "no");
    List<String> recipe =
        recipe(
            rows,
            "student.dropout=0",
            "train.epochs=4",
            "train.batch-size=8",
            "train.learning-rate=2e-3",
            "train.threads=1",
            "evaluate.output=" + directory.resolve("evaluation.json"));
    FinetuneJob.Result result = new FinetuneJob(spark, Tiny.settings(recipe)).run();
    assertThat(result.training().steps()).isEqualTo(120);
    EncoderSpec spec = HuggingFaceDirectory.open(directory.resolve("tuned")).spec();
    assertThat(spec.head().labels()).containsExactly("no", "yes");
    assertThat(spec.layers()).isEqualTo(Tiny.LAYERS);
    assertThat(directory.resolve("_tuned-work")).doesNotExist();
    Evaluation evaluation = new EvaluateJob(spark, Tiny.settings(recipe)).run();
    assertThat(metric(evaluation, 0, "accuracy")).isGreaterThan(0.8);
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
    Files.writeString(rows, "  \tyes\n", StandardOpenOption.APPEND);
    Evaluation without = new EvaluateJob(spark, Tiny.settings(recipe)).run();
    assertThat(without.models()).isEqualTo(evaluation.models());
    assertThat(without.data().leftOut()).isEqualTo(1);
    assertThat(without.table()).contains("1 rows without text left out");
    assertThatThrownBy(() -> new FinetuneJob(spark, Tiny.settings(recipe)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("tuned' exists already; remove it, or name another");

    Settings export =
        Tiny.settings(
            List.of(
                "export.from=" + directory.resolve("tuned"),
                "export.to=" + directory.resolve("export")));
    ExportJob.run(export);
    assertThat(Tiny.files(directory.resolve("export")).keySet())
        .filteredOn(name -> !name.endsWith(".crc"))
        .containsExactlyInAnyOrder("config.json", "model.safetensors", "vocab.txt");
    assertThat(Files.readAllBytes(directory.resolve("export/model.safetensors")))
        .isEqualTo(Files.readAllBytes(directory.resolve("tuned/model.safetensors")));
    assertThatThrownBy(() -> ExportJob.run(export))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("export' exists already");
  }

  @Test
  void keepsBestWeightsOnValidationRows() throws IOException {
    Path dev = Tiny.labelled(directory.resolve("dev.tsv"), 80, "yes", "no");
    List<String> recipe =
        recipe(
            Tiny.labelled(directory.resolve("rows.tsv"), 240, "yes", "no"),
            "finetune.validation=" + dev,
            "train.epochs=8",
            "train.early-stopping-patience=2",
            "train.batch-size=8",
            "train.learning-rate=5e-3",
            "train.threads=1",
            "evaluate.path=" + dev,
            "evaluate.metrics=[matthews]",
            "evaluate.output=" + directory.resolve("evaluation.json"));
    TrainedStudent training = new FinetuneJob(spark, Tiny.settings(recipe)).run().training();

    assertThat(training.training().chosen().by()).isEqualTo("matthews");
    assertThat(training.training().chosen().step() % 30).isZero();
    assertThat(training.losses().validation())
        .containsEntry("matthews", training.training().chosen().value())
        .containsKeys("hard-label", "accuracy", "f1");
    Evaluation evaluation = new EvaluateJob(spark, Tiny.settings(recipe)).run();
    assertThat(metric(evaluation, 0, "matthews")).isEqualTo(training.training().chosen().value());
  }

  @Test
  void learnsSeveralLabelsPerRow() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 240, "male|third", "third");
    List<String> recipe =
        recipe(
            rows,
            "finetune.task=multi-label",
            "student.dropout=0",
            "train.epochs=4",
            "train.batch-size=8",
            "train.learning-rate=2e-3",
            "train.threads=1",
            "evaluate.output=" + directory.resolve("evaluation.json"));
    new FinetuneJob(spark, Tiny.settings(recipe)).run();
    EncoderSpec spec = HuggingFaceDirectory.open(directory.resolve("tuned")).spec();
    assertThat(spec.head().task()).isEqualTo(Task.MULTI_LABEL);
    assertThat(spec.head().labels()).containsExactly("male", "third");
    Evaluation evaluation = new EvaluateJob(spark, Tiny.settings(recipe)).run();
    assertThat(metric(evaluation, 0, "exact-match")).isGreaterThan(0.8);
    assertThat(metric(evaluation, 0, "micro-f1")).isGreaterThan(0.9);
    assertThat(metric(evaluation, 0, "agreement")).isEqualTo(1.0);
  }

  @Test
  void findsClassesAsCacheReadsThem() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 24, "yes", "no");
    Files.writeString(rows, Files.readString(rows).replaceFirst("\tyes\n", "\tyes \n"));

    new FinetuneJob(spark, Tiny.settings(recipe(rows, "train.max-steps=1", "train.threads=1")))
        .run();

    assertThat(HuggingFaceDirectory.open(directory.resolve("tuned")).spec().head().labels())
        .containsExactly("no", "yes");
  }

  @Test
  void learnsRegression() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 160, "1.5", "-0.5");
    List<String> recipe =
        recipe(
            rows,
            "finetune.task=regression",
            "student.dropout=0",
            "train.epochs=5",
            "train.batch-size=8",
            "train.learning-rate=2e-3",
            "train.threads=1",
            "evaluate.output=" + directory.resolve("evaluation.json"));
    new FinetuneJob(spark, Tiny.settings(recipe)).run();
    assertThat(HuggingFaceDirectory.open(directory.resolve("tuned")).spec().head().task())
        .isEqualTo(Task.REGRESSION);
    Evaluation evaluation = new EvaluateJob(spark, Tiny.settings(recipe)).run();
    assertThat(metric(evaluation, 0, "pearson")).isGreaterThan(0.7);
  }

  private static double metric(Evaluation evaluation, int model, String name) {
    return evaluation.models().get(model).metrics().get(name);
  }

  /**
   * Returns a recipe that fine-tunes the tiny masked LM on a table and evaluates the result.
   */
  private List<String> recipe(Path rows, String... more) {
    List<String> recipe =
        new ArrayList<>(
            List.of(
                "finetune.from=" + Tiny.MLM,
                "finetune.to=" + directory.resolve("tuned"),
                "teacher.path=" + directory.resolve("tuned"),
                "train.path=" + directory.resolve("students"),
                "corpus.path=" + rows,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40"));
    recipe.addAll(List.of(more));
    return recipe;
  }
}
