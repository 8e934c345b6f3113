package io.stillhouse.jobs.cli;

import static io.stillhouse.jobs.Tiny.mistake;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Invalid input of the commands other than train and sweep. */
class BadInputTest extends BadInputFixture {
  @Test
  void rejectsMissingTeacher() {
    Path nowhere = directory.resolve("nowhere");
    assertThat(mistake(cacheOf(nowhere)))
        .contains("teacher.path does not exist: '" + nowhere + "'; check the spelling");
    assertNothingWritten();
  }

  @Test
  void rejectsCacheOnS3() {
    assertThat(mistake(cacheOf(Tiny.CLS, "cache.path=s3a://bucket/cache")))
        .contains("cache.path 's3a://bucket/cache' is on the file system 's3a'")
        .contains(
            "no operation that creates a file only if it does not exist; name a path on file: or"
                + " hdfs:");
  }

  @Test
  void rejectsMissingCorpus() {
    Path nowhere = directory.resolve("nowhere.tsv");
    assertThat(mistake(cacheOf(Tiny.CLS, "corpus.path=" + nowhere)))
        .contains("does not exist: '" + nowhere + "'; check the spelling");
    assertNothingWritten();
  }

  @Test
  void rejectsCorpusWithoutNamedColumn() {
    assertThat(mistake(cacheOf(Tiny.CLS, "corpus.text=sentence")))
        .contains("the corpus has no column 'sentence' for its text; choose from [text, label]");
    assertNothingWritten();
  }

  @Test
  void rejectsCorpusWithoutText() throws IOException {
    Path blank = Files.writeString(directory.resolve("blank.tsv"), "text\tlabel\n \t0\n");
    assertThat(mistake(cacheOf(Tiny.CLS, "corpus.path=" + blank)))
        .contains("no row of the corpus")
        .contains("contains a token; name files with text");
    assertNothingWritten();
  }

  @Test
  void rejectsUnknownLabel() throws IOException {
    Path rows = Files.writeString(directory.resolve("rows.tsv"), "text\tlabel\nthe\t1\nof\tnone\n");
    assertThat(mistake(cacheOf(Tiny.CLS, "corpus.path=" + rows, "corpus.label=label")))
        .contains("the label of row 'rows.tsv:1' must be one of 3 classes")
        .contains("but is 'none'; the classes are [LABEL_0, LABEL_1, LABEL_2]")
        .contains("correct the row, choose another label column");
    assertNothingWritten();
  }

  @Test
  void processReportsErrorOfTaskInOneLine() throws IOException, InterruptedException {
    Path rows = Files.writeString(directory.resolve("rows.tsv"), "text\tlabel\nthe\t1\nof\tnone\n");
    List<String> command =
        new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
    // The flags of this JVM, which Spark needs on Java 17, and the logging that we ship.
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    SPARK.forEach((key, value) -> command.add("-D" + key + "=" + value));
    command.add("-Dlog4j2.configurationFile=../conf/log4j2.properties");
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), Stillhouse.class.getName()));
    command.addAll(List.of(cacheOf(Tiny.CLS, "corpus.path=" + rows, "corpus.label=label")));
    Path stderr = directory.resolve("stderr");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(directory.resolve("stdout").toFile())
            .redirectError(stderr.toFile())
            .start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(stderr)).isEqualTo(2);
    List<String> lines = Files.readAllLines(stderr);
    assertThat(lines).hasSize(2);
    assertThat(lines.get(0)).contains("WARN").contains("assumed do_lower_case=true");
    assertThat(lines.get(1)).startsWith("stillhouse: the label of row 'rows.tsv:1' must be one of");
    assertNothingWritten();
  }

  @Test
  void rejectsNonNumericScore() throws IOException {
    Path rows = Files.writeString(directory.resolve("rows.tsv"), "text\tlabel\nthe\thigh\n");
    assertThat(mistake(cacheOf(Tiny.REG, "corpus.path=" + rows, "corpus.label=label")))
        .contains("must be a finite number for regression, but is 'high'; correct the row");
    assertNothingWritten();
  }

  @Test
  void finetuneRejectsLabelOutsideClasses() {
    assertThat(
            mistake(
                "finetune",
                "finetune.from=" + Tiny.MLM,
                "finetune.to=" + directory.resolve("tuned"),
                "corpus.path=" + corpus,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40",
                "corpus.classes=[yes, 1]"))
        .contains("must be one of 2 classes, but is '0'");
    assertNothingWritten();
  }

  @Test
  void finetuneRejectsCorpusWithoutLabels() {
    assertThat(mistake(finetune()))
        .contains("corpus.label is missing, but finetune learns from labels; set it to the column");
    assertNothingWritten();
  }

  @Test
  void rejectsLayersThatTeacherLacks() {
    assertThat(mistake(cacheOf(Tiny.CLS, "targets.hidden=[0,4]", "targets.attention=[0]")))
        .contains(
            "targets.hidden [0, 4] names a layer that the teacher lacks; it has hidden states 0..3")
        .contains("targets.attention [0] names a block that the teacher lacks; it has blocks 1..3");
    assertNothingWritten();
  }

  @Test
  void rejectsLengthBeyondPositionsOfTeacher() {
    assertThat(mistake(cacheOf(Tiny.CLS, "corpus.max-length=41")))
        .contains(
            "corpus.max-length must be at most the positions of the teacher, 40, but is '41'");
    assertNothingWritten();
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 100, -1})
  void rejectsTruncatedWeights(int bytes) throws IOException {
    Path teacher = copyOf(Tiny.CLS);
    Path weights = teacher.resolve("model.safetensors");
    byte[] all = Files.readAllBytes(weights);
    Files.write(weights, Arrays.copyOf(all, bytes < 0 ? all.length + bytes : bytes));
    assertThat(mistake(cacheOf(teacher))).contains("model.safetensors");
    assertNothingWritten();
  }

  @Test
  void rejectsVocabularyOfWrongSize() throws IOException {
    Path teacher = copyOf(Tiny.CLS);
    Path vocab = teacher.resolve("vocab.txt");
    Files.writeString(vocab, Files.readString(vocab).stripTrailing() + "\nmore\n");
    assertThat(mistake(cacheOf(teacher)))
        .contains("has 121 tokens, but the word embeddings have 120 rows")
        .contains("use the vocabulary that the model was trained with");
    assertNothingWritten();
  }

  @Test
  void rejectsUnknownModelType() throws IOException {
    Path teacher = copyOf(Tiny.CLS);
    Path config = teacher.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"bert\"", "\"roberta\""));
    assertThat(mistake(cacheOf(teacher)))
        .contains("model_type is 'roberta', but only 'bert', 'distilbert', 'albert' are supported");
    assertNothingWritten();
  }

  @Test
  void rejectsSparkThatIgnoresCorruptFiles() {
    System.setProperty("spark.sql.files.ignoreCorruptFiles", "true");
    try {
      assertThat(mistake(cacheOf(Tiny.CLS)))
          .contains(
              "spark.sql.files.ignoreCorruptFiles must be false (it drops rows silently), but is"
                  + " 'true'");
    } finally {
      System.clearProperty("spark.sql.files.ignoreCorruptFiles");
    }
    assertNothingWritten();
  }

  @Test
  void evaluateRejectsStudentWithDifferentHead() {
    assertThat(
            mistake(evaluationOf(Tiny.CLS, "corpus.path=" + corpus, "evaluate.models=" + Tiny.MLM)))
        .contains("does not predict what the teacher predicts")
        .contains("only evaluate models with the same head and vocabulary together");
    assertNothingWritten();
  }

  @Test
  void rejectsFileOfDifferentTask() {
    assertThat(
            mistake(
                "cache",
                "task=cola",
                "teacher.path=" + Tiny.CLS,
                "corpus.path=" + corpus,
                "corpus.max-length=40",
                "cache.path=" + directory.resolve("cache")))
        .contains("the corpus has no column 3 for its text: it has 2 columns; choose from [0, 1]");
    assertNothingWritten();
  }

  @Test
  void headImportanceRejectsCorpusWithoutLabels() {
    assertThat(
            mistake(
                TinyRecipe.unlabelled(corpus)
                    .with("head-importance.output=" + directory.resolve("heads.json"))
                    .command("head-importance")))
        .contains("corpus.label is missing, but the importance of heads is measured on labels");
    assertNothingWritten();
  }

  @Test
  void rejectsDirectoryAsWordVectorsOfAugmentation() {
    assertThat(
            mistake(
                TinyRecipe.unlabelled(corpus)
                    .with(
                        "augment.model=" + Tiny.MLM,
                        "augment.word-vectors=" + shared,
                        "augment.to=" + directory.resolve("larger"))
                    .command("augment")))
        .contains("augment.word-vectors" + isADirectory());
    assertNothingWritten();
  }

  @Test
  void rejectsDirectoryAsOutputOfEvaluation() {
    assertThat(mistake(evaluationOf(Tiny.CLS, "evaluate.output=" + shared)))
        .contains("evaluate.output" + isADirectory());
    assertNothingWritten();
  }

  @Test
  void evaluateRejectsUnknownReference() {
    assertThat(
            mistake(
                evaluationOf(
                    Tiny.CLS, "evaluate.models=" + Tiny.CLS, "evaluate.reference=baseline")))
        .contains(
            "evaluate.reference is 'baseline', but the students are [bert-tiny-cls-v1]; name one of"
                + " them");
    assertNothingWritten();
  }

  @Test
  void evaluateRejectsPredictionsOfMaskedLm() {
    assertThat(mistake(evaluationOf(Tiny.MLM, "evaluate.predictions=rows.jsonl")))
        .contains(
            "evaluate.predictions is 'rows.jsonl', but a masked LM predicts tokens and has no"
                + " logits per row; remove evaluate.predictions");
    assertNothingWritten();
  }

  @Test
  void exportRejectsMissingStudent() {
    assertThat(
            mistake(
                "export",
                "export.from=" + directory.resolve("none"),
                "export.to=" + directory.resolve("export")))
        .contains("export.from does not exist: '" + directory.resolve("none"));
    assertNothingWritten();
  }

  private String[] cacheOf(Path teacher, String... more) {
    return TinyRecipe.unlabelled(corpus)
        .teacher(teacher)
        .cache(directory.resolve("cache"))
        .with(more)
        .command("cache");
  }

  private String[] finetune(String... more) {
    return TinyRecipe.unlabelled(corpus)
        .with("finetune.from=" + Tiny.MLM, "finetune.to=" + directory.resolve("tuned"))
        .with(more)
        .command("finetune");
  }

  /** Returns a command that evaluates a corpus that does not exist. */
  private String[] evaluationOf(Path teacher, String... more) {
    return TinyRecipe.unlabelled(directory.resolve("nowhere.tsv"))
        .teacher(teacher)
        .with(
            "train.path=" + directory.resolve("students"),
            "evaluate.output=" + directory.resolve("evaluation.json"))
        .with(more)
        .command("evaluate");
  }

  private Path copyOf(Path model) throws IOException {
    return Tiny.copy(model, directory.resolve("teacher"));
  }
}
