package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains students of other architectures, and uses them as teachers. */
@Tag("spark")
class ArchitecturesTest {
  /** Embedding outputs, attention scores and soft labels are rebuilt with the teacher's weights. */
  private static final List<String> ALL_TERMS =
      List.of(
          "student.layers=2",
          "student.dropout=0",
          "student.init=random",
          "loss.soft-label.weight=1",
          "loss.embedding-mse.weight=1",
          "loss.hidden-cosine.weight=1",
          "loss.attention-mse.weight=1",
          "train.epochs=4",
          "train.batch-size=8",
          "train.learning-rate=1e-2",
          "train.threads=1",
          "train.baseline=false");

  @TempDir private Path directory;
  private SparkSession spark;

  @BeforeEach
  void open() {
    spark = Tiny.spark();
  }

  @Test
  void distilBertAndAlbertStudentsBecomeTeachers() throws IOException {
    Path text = Tiny.lines(directory.resolve("prose.txt"), 60);
    cache(text, Tiny.MLM, "first");

    Path distilBert = learnt("first", "distilbert", "student.architecture=distilbert");
    Path albert =
        learnt("first", "albert", "student.architecture=albert", "student.embedding-size=8");

    EncoderSpec spec = HuggingFaceDirectory.open(distilBert).spec();
    assertThat(spec.architecture()).isEqualTo(Architecture.DISTILBERT);
    spec = HuggingFaceDirectory.open(albert).spec();
    assertThat(spec.architecture()).isEqualTo(Architecture.ALBERT);
    assertThat(spec.embeddingSize()).isEqualTo(8);

    cache(text, distilBert, "second");
    cache(text, albert, "third");
    for (String cache : List.of("second", "third")) {
      assertThat(
              new VerifyJob(spark, settings(cache), directory.resolve(cache).toString())
                  .run()
                  .isSound())
          .isTrue();
    }
    Path bert = copied("second", distilBert, "bert");
    Path copy =
        copied("third", albert, "copy", "student.architecture=albert", "student.embedding-size=8");
    Evaluation evaluation =
        new EvaluateJob(
                spark,
                settings(
                    "first",
                    format("evaluate.models=[%s, %s, %s, %s]", distilBert, albert, bert, copy),
                    "evaluate.output=" + directory.resolve("evaluation.json")))
            .run();
    assertThat(evaluation.models()).hasSize(5);
    assertThat(evaluation.models().get(2).parameters()).isEqualTo(spec.parameterCount());
    String twice = format("evaluate.models=[%s, %s]", copy, copy);
    assertThatThrownBy(() -> new EvaluateJob(spark, settings("first", twice)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("two models have the name 'copy'");
    // Each copy gets the same evaluation as its teacher, whatever its architecture.
    assertThat(evaluation.models().get(3).metrics().get("perplexity"))
        .isCloseTo(evaluation.models().get(1).metrics().get("perplexity"), withinPercentage(0.01));
    assertThat(evaluation.models().get(4).metrics().get("perplexity"))
        .isCloseTo(evaluation.models().get(2).metrics().get("perplexity"), withinPercentage(0.01));
  }

  @Test
  void distilBertClassifiesPairs() throws IOException {
    Path rows = Tiny.labelled(directory.resolve("rows.tsv"), 48, "LABEL_2", "LABEL_0");
    List<String> table =
        TinyRecipe.labelled(rows)
            .cache(directory.resolve("cache"))
            .with("corpus.pair=text", "targets.hidden=[3]")
            .keyValues();
    new CacheJob(spark, Tiny.settings(table)).run();
    for (String architecture : List.of("distilbert", "albert")) {
      List<String> all = new ArrayList<>(table);
      all.addAll(ALL_TERMS);
      all.addAll(
          List.of(
              "student.name=" + architecture,
              "student.architecture=" + architecture,
              "train.path=" + directory.resolve("students"),
              "student.layer-map=[0, 1, 3]",
              "loss.hard-label.weight=1",
              "loss.attention-mse.weight=0"));

      TrainedStudent.Losses losses =
          new TrainJob(spark, Tiny.settings(all)).run().students().get(0).losses();

      assertThat(losses.last().get("hard-label")).isLessThan(losses.first().get("hard-label"));
      Path student = directory.resolve("students").resolve(architecture);
      assertThat(HuggingFaceDirectory.open(student).spec().head().labels()).hasSize(3);
      assertThat(Files.readString(student.resolve("config.json")))
          .contains("ForSequenceClassification");
    }
  }

  @Test
  void rejectsNarrowEmbeddingsOfBert() throws IOException {
    Path text = Tiny.lines(directory.resolve("prose.txt"), 20);
    cache(text, Tiny.MLM, "first");

    assertThatThrownBy(() -> train("first", "narrow", List.of("student.embedding-size=8")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("set student.architecture=albert, or remove the key");
  }

  private void cache(Path text, Path teacher, String name) throws IOException {
    EncoderSpec spec = HuggingFaceDirectory.open(teacher).spec();
    new CacheJob(
            spark,
            settings(
                name,
                "teacher.path=" + teacher,
                "corpus.path=" + text,
                "targets.hidden=" + IntStream.rangeClosed(1, spec.layers()).boxed().toList()))
        .run();
  }

  /** Trains a student from random weights and checks that each term decreases. */
  private Path learnt(String cache, String name, String... more) throws IOException {
    List<String> all = new ArrayList<>(List.of("student.layer-map=[0, 1, 3]"));
    all.addAll(List.of(more));
    TrainedStudent.Losses losses = train(cache, name, all);
    assertThat(losses.first())
        .containsOnlyKeys("soft-label", "embedding-mse", "hidden-cosine", "attention-mse");
    losses
        .first()
        .forEach((term, before) -> assertThat(losses.last().get(term)).as(term).isLessThan(before));
    return directory.resolve("students").resolve(name);
  }

  /** Copies a teacher of two blocks, which has nothing to learn from its own targets. */
  private Path copied(String cache, Path teacher, String name, String... more) throws IOException {
    List<String> all =
        new ArrayList<>(
            List.of("teacher.path=" + teacher, "student.init=teacher", "train.learning-rate=1e-9"));
    all.addAll(List.of(more));
    TrainedStudent.Losses losses = train(cache, name, all);
    // Hidden states are stored as float16, with 11 bits.
    losses.last().forEach((term, loss) -> assertThat(loss).as(term).isLessThan(1e-5));
    return directory.resolve("students").resolve(name);
  }

  private TrainedStudent.Losses train(String cache, String name, List<String> more)
      throws IOException {
    List<String> all = new ArrayList<>(ALL_TERMS);
    all.add("student.name=" + name);
    all.addAll(more);
    return new TrainJob(spark, settings(cache, all.toArray(String[]::new)))
        .run()
        .students()
        .get(0)
        .losses();
  }

  private Settings settings(String cache, String... more) {
    return TinyRecipe.text(directory.resolve("prose.txt"))
        .cache(directory.resolve(cache))
        .shardTokens(512)
        .with(
            "corpus.format=text",
            "corpus.max-length=24",
            "train.path=" + directory.resolve("students"))
        .settings(more);
  }
}
