package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.augment.AugmentJob;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.LogitsFile;
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models whose outputs are infinite or not a number. */
@Tag("spark")
class NotFiniteTest {
  private static final String BIAS = "classifier.bias";

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static Path rows;
  private static Path dead;

  private final SparkSession spark = Tiny.spark();

  @BeforeAll
  static void writeModels() throws IOException {
    rows =
        Files.writeString(
            shared.resolve("rows.tsv"),
            "text\tlabel\nthe of\t0\nin is was\t1\nhe for\t2\nand\t0\nof to\t1\nis\t2\n");
    dead = BrokenModels.dead(Tiny.CLS, BIAS, shared.resolve("dead"));
  }

  @Test
  void evaluateSaysSoInsteadOfScoring() throws IOException {
    Path scores =
        Files.writeString(
            directory.resolve("scores.tsv"), "text\tlabel\nthe of\t0.5\nin is was\t1\nhe\t2\n");
    Path reg = BrokenModels.dead(Tiny.REG, BIAS, directory.resolve("nan-reg"));
    String table =
        new EvaluateJob(
                spark, settings(Tiny.REG, "corpus.path=" + scores, "evaluate.models=" + reg))
            .run()
            .table();
    assertThat(table)
        .contains("nan-reg gives no finite output for 3 of 3 rows, so it is not scored");
  }

  @Test
  void jsonOfEvaluationSaysSo() throws IOException {
    Path some = BrokenModels.deadFor(Tiny.CLS, "he", directory.resolve("some"));
    new EvaluateJob(spark, settings(Tiny.CLS, format("evaluate.models=[%s, %s]", dead, some)))
        .run();
    JsonObject written =
        JsonParser.parseString(Files.readString(directory.resolve("evaluation.json")))
            .getAsJsonObject();
    JsonObject first = written.getAsJsonArray("models").get(1).getAsJsonObject();
    assertThat(first.get("notFiniteRows").getAsInt()).isEqualTo(6);
    assertThat(first.getAsJsonObject("metrics").size()).isZero();
    JsonObject second = written.getAsJsonArray("models").get(2).getAsJsonObject();
    assertThat(second.get("notFiniteRows").getAsInt()).isEqualTo(1);
    assertThat(second.getAsJsonObject("metrics").size()).isZero();
  }

  @Test
  void logitsRejectsAndWritesNothing() throws IOException {
    Path text = Files.writeString(directory.resolve("text.txt"), "the of\nhe is\n");
    Path out = directory.resolve("out.safetensors");
    assertThatThrownBy(() -> LogitsFile.write(dead.toString(), text, out))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("dead gives no finite output for 2 of 2 rows; ");
    assertThat(out).doesNotExist();
  }

  @Test
  void headImportanceRejects() throws IOException {
    Settings settings = settings(dead, "head-importance.output=" + directory.resolve("heads.json"));
    HeadImportanceJob job = new HeadImportanceJob(spark, settings);
    assertThatThrownBy(job::run)
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("dead gives no finite output for 6 of 6 rows; ");
    assertThat(directory.resolve("heads.json")).doesNotExist();
  }

  @Test
  void finetuneDoesNotStartFromIt() throws IOException {
    Path tuned = directory.resolve("tuned");
    FinetuneJob job =
        new FinetuneJob(
            spark,
            settings(dead, "finetune.from=" + dead, "finetune.to=" + tuned, "train.max-steps=1"));
    assertThatThrownBy(job::run)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            format("'classifier.bias' of %s has numbers that are not finite", dead));
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void cacheCountsItsRowsAsInvalid() throws IOException {
    CacheJob job = new CacheJob(spark, settings(dead, "cache.path=" + directory.resolve("cache")));
    assertThatThrownBy(job::run)
        .hasStackTraceContaining(
            "6 of 6 rows are invalid, more than corpus.max-invalid (0.01) allows: the teacher's"
                + " output is not finite (6, such as row ");
  }

  @Test
  void augmentRejectsIfNoRowHasCopies() throws IOException {
    Path mlm = BrokenModels.dead(Tiny.MLM, "cls.predictions.bias", directory.resolve("mlm"));
    AugmentJob job = new AugmentJob(spark, augmentation(mlm));
    assertThatThrownBy(job::run)
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("the masked LM gives no finite output for ");
    assertThat(directory.resolve("out")).doesNotExist();
  }

  @Test
  void augmentLeavesOutRowsThatItBreaks() throws IOException {
    Path longer =
        Files.writeString(
            directory.resolve("rows.tsv"),
            "text\tlabel\nthe of\t0\nthe of and to in is was for on that\t1\n");
    int position = 11; // only the second row is as long
    Path mlm =
        BrokenModels.with(
            Tiny.MLM,
            "bert.embeddings.position_embeddings.weight",
            position * Tiny.WIDTH,
            Float.NaN,
            directory.resolve("mlm"));
    // Texts of different lengths are not in one batch, where one would be padded to that position.
    AugmentJob.Result result =
        new AugmentJob(
                spark,
                augmentation(
                    mlm,
                    "corpus.path=" + longer,
                    "cache.batch-tokens=16",
                    "corpus.max-invalid=0.5"))
            .run();
    assertThat(result.counts().leftOut()).isEqualTo(1);
    assertThat(Files.readString(directory.resolve("out/_augment.json")))
        .contains("\"the masked LM's output is not finite\": 1");
  }

  private Settings augmentation(Path model, String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "augment.model=" + model,
                "augment.to=" + directory.resolve("out"),
                "augment.word-vectors=none",
                "augment.stop-words=replaced"));
    all.addAll(List.of(more));
    return settings(Tiny.CLS, all.toArray(String[]::new));
  }

  private Settings settings(Path model, String... more) {
    return Tiny.settings(
        List.of(
            "teacher.path=" + model,
            "corpus.path=" + rows,
            "corpus.text=text",
            "corpus.label=label",
            "corpus.max-length=40",
            "evaluate.output=" + directory.resolve("evaluation.json")),
        more);
  }
}
