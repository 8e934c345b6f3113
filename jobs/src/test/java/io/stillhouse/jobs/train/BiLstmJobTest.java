package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.LogitsFile;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.spec.BiLstmSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains, evaluates and exports BiLSTMs for single texts and for pairs. */
@Tag("spark")
class BiLstmJobTest {
  private static final List<String> STUDENT =
      List.of(
          "student.name=distilled",
          "student.architecture=bilstm",
          "student.hidden-size=8",
          "loss.soft-label.weight=1",
          "loss.soft-label.kind=mse",
          "train.epochs=6",
          "train.batch-size=8",
          "train.learning-rate=1e-2",
          "train.threads=1");

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static SparkSession spark;
  private static List<String> single;
  private static List<String> pair;

  @BeforeAll
  static void cachesOnce() throws IOException {
    spark = Tiny.spark();
    Path rows = Tiny.labelled(shared.resolve("rows.tsv"), 96, "LABEL_2", "LABEL_0");
    single = TinyRecipe.labelled(rows).cache(shared.resolve("single")).shardTokens(512).keyValues();
    pair =
        TinyRecipe.labelled(pairs(shared.resolve("pairs.tsv")))
            .cache(shared.resolve("pair"))
            .shardTokens(512)
            .with("corpus.pair=other")
            .keyValues();
    new CacheJob(spark, Tiny.settings(single)).run();
    new CacheJob(spark, Tiny.settings(pair)).run();
  }

  /** Writes pairs, some of whose second texts are empty; equal first words give the label. */
  private static Path pairs(Path file) throws IOException {
    Random random = new Random(5);
    StringBuilder table = new StringBuilder("text\tother\tlabel\n");
    for (int row = 0; row < 96; row++) {
      boolean equal = random.nextBoolean();
      String other = row % 7 == 0 ? "" : (equal ? "he " : "not ") + words(random);
      table
          .append("he " + words(random) + "\t" + other + "\t")
          .append(equal ? "LABEL_1" : "LABEL_0")
          .append('\n');
    }
    return Files.writeString(file, table);
  }

  private static String words(Random random) {
    return Tiny.words(random, 1 + random.nextInt(9));
  }

  @Test
  void trainsEvaluatesAndExportsSingleTexts() throws IOException {
    trainEvaluateAndExport(single, BiLstmSpec.Texts.SINGLE);

    Path text = Files.writeString(directory.resolve("text"), "he was the of\nnot\n");
    Path out = directory.resolve("logits.safetensors");
    assertThat(LogitsFile.write(directory.resolve("exported").toString(), text, out)).isEqualTo(2);
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray logits = SafeTensors.open(out).read("logits_000", manager);
      assertThat(logits.toFloatArray()).hasSize(3);
      assertThat(logits.toFloatArray())
          .isNotEqualTo(SafeTensors.open(out).read("logits_001", manager).toFloatArray());
    }
  }

  @Test
  void trainsEvaluatesAndExportsPairs() throws IOException {
    trainEvaluateAndExport(pair, BiLstmSpec.Texts.PAIR);

    Path text = Files.writeString(directory.resolve("text"), "he was\n");
    assertThatThrownBy(
            () ->
                LogitsFile.write(
                    directory.resolve("exported").toString(), text, directory.resolve("logits")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a row of 4 tokens has one text, but this BiLSTM reads two");
  }

  @Test
  void takesPairColumnFromCache() throws IOException {
    List<String> silent = pair.stream().filter(value -> !value.startsWith("corpus.pair")).toList();
    train(silent, "train.max-steps=1", "train.baseline=false");

    BiLstmSpec spec =
        (BiLstmSpec) ModelDirectory.open(directory.resolve("students/distilled")).spec();
    assertThat(spec.texts()).isEqualTo(BiLstmSpec.Texts.PAIR);
  }

  private void trainEvaluateAndExport(List<String> corpus, BiLstmSpec.Texts texts)
      throws IOException {
    TrainJob.Result result = train(corpus);
    assertThat(result.students())
        .extracting(TrainedStudent::name)
        .containsExactly("distilled", "baseline");
    TrainedStudent.Losses losses = result.students().get(0).losses();
    assertThat(losses.first()).containsOnlyKeys("soft-label");
    assertThat(losses.last().get("soft-label")).isLessThan(losses.first().get("soft-label"));
    assertThat(result.students().get(1).losses().first()).containsOnlyKeys("hard-label");
    BiLstmSpec spec =
        (BiLstmSpec) ModelDirectory.open(directory.resolve("students/distilled")).spec();
    assertThat(spec.texts()).isEqualTo(texts);
    assertThat(spec.words()).isEqualTo(new BiLstmSpec.Words(120, Tiny.WIDTH));
    assertThat(spec.units()).isEqualTo(new BiLstmSpec.Units(8, 11));
    assertThat(result.students().get(0).parameters()).isEqualTo(spec.parameterCount());

    Evaluation evaluation = new EvaluateJob(spark, settings(corpus)).run();
    assertThat(evaluation.models())
        .extracting(Evaluation.Model::name)
        .containsExactly("teacher", "baseline", "distilled");
    Evaluation.Model baseline = evaluation.models().get(1);
    Evaluation.Model distilled = evaluation.models().get(2);
    assertThat(distilled.parameters()).isEqualTo(spec.parameterCount());
    assertThat(distilled.metrics().get("agreement"))
        .isGreaterThan(baseline.metrics().get("agreement"));

    new ExportJob(
            Tiny.settings(
                List.of(
                    "export.from=" + directory.resolve("students/distilled"),
                    "export.to=" + directory.resolve("exported"),
                    "export.formats=huggingface")))
        .run(null);
    assertThat(Tiny.files(directory.resolve("exported")).keySet())
        .containsExactlyInAnyOrder(
            "config.json",
            "model.safetensors",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "README.md",
            "export.json");
    assertThat(
            CacheDiff.compare(
                    directory.resolve("exported").toString(),
                    directory.resolve("students/distilled").toString())
                .equal())
        .isTrue();
  }

  @Test
  void readsWordVectorsFromFile() throws IOException {
    Path file =
        Files.writeString(directory.resolve("vectors.txt"), "2 3\nthe 1 2 3\nzebra 4 5 6\n");
    TrainJob.Result result =
        train(
            single,
            "student.word-vectors=" + file,
            "train.max-steps=1",
            "train.learning-rate=1e-30",
            "train.weight-decay=0");

    assertThat(result.notes())
        .containsExactly(
            format("%s has vectors of 1 of 120 word pieces; the others are random", file));
    List<String> vocabulary = Files.readAllLines(Tiny.CLS.resolve("vocab.txt"));
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray words =
          ModelDirectory.open(directory.resolve("students/distilled"))
              .weights(manager)
              .get("embeddings.weight");
      assertThat(words.get(vocabulary.indexOf("the")).toFloatArray()).containsExactly(1f, 2f, 3f);
      assertThat(words.abs().max().getFloat()).isEqualTo(3f);
    }
  }

  @Test
  void rejectsWordVectorsWithoutKnownWords() throws IOException {
    Path file = Files.writeString(directory.resolve("vectors.txt"), "zebra 4 5 6\n");

    assertThatThrownBy(() -> train(single, "student.word-vectors=" + file))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "student.word-vectors '%s' has none of the teacher's 120 word pieces; use a file of"
                    + " the same language and casing, or student.word-vectors=teacher",
                file));
  }

  @Test
  void rejectsMissingWordVectors() {
    assertThatThrownBy(() -> train(single, "student.word-vectors=nowhere.txt"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("student.word-vectors does not exist: '")
        .hasMessageContaining("nowhere.txt'");
  }

  @Test
  void roundsAreReproducible() throws IOException {
    String[] rounds = {
      "student.dropout=0.1",
      "train.workers=2",
      "train.round-steps=3",
      "train.max-steps=12",
      "train.baseline=false"
    };
    train(single, rounds);
    byte[] first = Files.readAllBytes(directory.resolve("students/distilled/model.safetensors"));
    Path again = directory.resolve("again");
    new TrainJob(spark, settings(single, "train.path=" + again, rounds)).run();

    assertThat(again.resolve("distilled/model.safetensors")).hasBinaryContent(first);
  }

  @Test
  void sweepComparesBiLstmWithEncoder() throws IOException {
    SweepJob.Result result =
        new SweepJob(
                spark,
                settings(
                    single,
                    "train.max-steps=4",
                    "student.architecture=bert",
                    "student.init=random",
                    "sweep.students-per-task=2",
                    "sweep.students=[{ name = lstm, student.architecture = bilstm }, { name ="
                        + " encoder, student.layers = 1, student.heads = 2 }]"))
            .run();

    assertThat(result.exitCode()).isZero();
    assertThat(ModelDirectory.open(directory.resolve("students/lstm")).spec())
        .isInstanceOf(BiLstmSpec.class);
    train(single, "student.name=alone", "train.max-steps=4", "train.baseline=false");
    assertThat(directory.resolve("students/alone/model.safetensors"))
        .hasSameBinaryContentAs(directory.resolve("students/lstm/model.safetensors"));
  }

  @Test
  void rejectsLossesOnLayersBeforeWriting() {
    assertThatThrownBy(() -> train(single, "loss.first-token-mse.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("loss.first-token-mse.weight is 1.0, but a BiLSTM has no layers");
    assertThatThrownBy(() -> train(single, "loss.hidden-mse.weight=1"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "loss.hidden-mse.weight is 1.0, but a BiLSTM has no layers to compare with its"
                + " teacher's; set it to 0, and set loss.soft-label.weight");
    assertThat(directory.resolve("students")).doesNotExist();
  }

  @Test
  void rejectsBiLstmAsTeacher() throws IOException {
    train(single, "train.max-steps=1", "train.baseline=false");
    Path student = directory.resolve("students/distilled");

    assertThatThrownBy(() -> new CacheJob(spark, settings(single, "teacher.path=" + student)).run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "model_type is 'stillhouse-bilstm', but only 'bert', 'distilbert', 'albert' are"
                + " supported; use a BERT encoder as teacher");
  }

  private TrainJob.Result train(List<String> corpus, String... more) throws IOException {
    return new TrainJob(spark, settings(corpus, more)).run();
  }

  private Settings settings(List<String> corpus, String first, String[] more) {
    List<String> all = new ArrayList<>(List.of(more));
    all.add(first);
    return settings(corpus, all.toArray(String[]::new));
  }

  private Settings settings(List<String> corpus, String... more) {
    List<String> all = new ArrayList<>(corpus);
    all.addAll(STUDENT);
    all.add("train.path=" + directory.resolve("students"));
    all.add("evaluate.output=" + directory.resolve("evaluation.json"));
    return Tiny.settings(all, more);
  }
}
