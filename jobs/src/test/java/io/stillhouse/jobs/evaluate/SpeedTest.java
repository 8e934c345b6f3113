package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.evaluate.Flops;
import io.stillhouse.evaluate.Turns;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpeedTest {
  private static final Path BI_LSTM = Tiny.CLS.resolveSibling("bilstm-tiny-pair-v1");

  @TempDir private Path directory;

  @Test
  void theTableHasALineForEachModelAndAColumnForEachPass() {
    List<Speed> speeds =
        List.of(
            speed("teacher", 1_234_567, 22_347_000_000L, new Turns.Rate(0.5, 1)),
            speed("tiny", 1_000, 10_000, new Turns.Rate(100, 200)));
    List<String> lines = Speed.table(speeds).lines().toList();

    assertThat(lines).hasSize(4);
    assertThat(lines.get(0))
        .isEqualTo(
            "sentences/s on cpu with 1 thread (and times the teacher's), by batch x tokens:");
    assertThat(lines.get(1))
        .matches(
            "model +parameters +MFLOPs of 32 +MFLOPs of 128 +1 x 32 +32 x 32 +1 x 128 +32 x 128");
    assertThat(lines.get(2))
        .matches(
            "teacher +1,234,567 +22,347\\.00 +22,347\\.00( +0\\.5 \\(1\\.00x\\) +16\\.0 \\(1\\.00x\\)){2}");
    assertThat(lines.get(3))
        .matches(
            "tiny +1,000 +0\\.01 +0\\.01( +100\\.0 \\(200\\.00x\\) +3,200\\.0 \\(200\\.00x\\)){2}");
    assertThat(lines.get(1)).hasSameSizeAs(lines.get(2)).hasSameSizeAs(lines.get(3));
    assertThat(Speed.table(List.of())).isEmpty();
  }

  private static Speed speed(String name, long parameters, long flops, Turns.Rate rate) {
    return new Speed(
        name,
        parameters,
        "cpu",
        1,
        List.of(
            Speed.Pass.of(32, 1, flops, rate),
            Speed.Pass.of(32, 32, flops, rate),
            Speed.Pass.of(128, 1, flops, rate),
            Speed.Pass.of(128, 32, flops, rate)));
  }

  @Test
  void ofSeedsOneIsMeasured() throws IOException {
    ModelSpec bert = HuggingFaceDirectory.open(Tiny.CLS).spec();
    ModelSpec lstm = ModelDirectory.open(BI_LSTM).spec();
    List<SpeedStage.Model> models =
        List.of(
            new SpeedStage.Model("teacher", "/t", bert),
            new SpeedStage.Model("tiny_seed-1", "/1", bert),
            new SpeedStage.Model("tiny_seed-1-baseline", "/1u", bert),
            new SpeedStage.Model("tiny_seed-2", "/2", bert),
            new SpeedStage.Model("tiny_seed-3", "/3", lstm),
            new SpeedStage.Model("tiny", "/4", bert));

    assertThat(SpeedStage.distinct(models))
        .containsExactly(
            models.get(0),
            new SpeedStage.Model("tiny", "/1", bert),
            models.get(2),
            models.get(4), // of another shape
            models.get(5));
    // The tiny encoder has 40 positions, a BiLSTM has no end.
    assertThat(SpeedStage.lengths(models)).containsExactly(32, 40);
    assertThat(SpeedStage.lengths(models.subList(4, 5))).containsExactly(32, 128);
  }

  @Test
  @Tag("spark")
  void everyShapeIsMeasuredAndWritten() throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.writeString(rows, "text\tother\tlabel\nhe was\tnot\tLABEL_0\nit is\tof the\tLABEL_2\n");
    Path output = directory.resolve("evaluation.json");
    List<String> recipe =
        List.of(
            "teacher.path=" + Tiny.CLS,
            "corpus.path=" + rows,
            "corpus.text=text",
            "corpus.pair=other",
            "corpus.label=label",
            "corpus.max-length=40",
            "evaluate.models=[%s, %s, %s]".formatted(BI_LSTM, tiny(1), tiny(2)),
            "evaluate.output=" + output);

    assertThat(new EvaluateJob(Tiny.spark(), Tiny.settings(recipe)).run().speed()).isEmpty();
    assertThat(written(output)).isEmpty();
    Evaluation evaluation =
        new EvaluateJob(
                Tiny.spark(),
                Tiny.settings(recipe, "evaluate.speed=true", "evaluate.speed-seconds=0.01"))
            .run();

    assertThat(evaluation.speed())
        .extracting(Speed::model)
        .containsExactly("teacher", "bilstm-tiny-pair-v1", "tiny");
    for (Speed model : evaluation.speed()) {
      assertThat(model.device()).isEqualTo("cpu");
      assertThat(model.threads()).isEqualTo(1);
      assertThat(model.passes())
          .extracting(pass -> pass.batch() + " x " + pass.tokens())
          .containsExactly("1 x 32", "32 x 32", "1 x 40", "32 x 40");
      assertThat(model.passes())
          .allSatisfy(
              pass -> {
                assertThat(pass.sentencesPerSecond()).isPositive();
                assertThat(pass.timesTeacher()).isPositive();
              });
    }
    assertThat(evaluation.speed().get(0).passes())
        .allSatisfy(pass -> assertThat(pass.timesTeacher()).isEqualTo(1));
    ModelSpec lstm = ModelDirectory.open(BI_LSTM).spec();
    assertThat(evaluation.speed().get(1).parameters()).isEqualTo(lstm.parameterCount());
    assertThat(evaluation.speed().get(1).passes().get(3).flops()).isEqualTo(Flops.of(lstm, 40));
    assertThat(evaluation.table()).contains("by batch x tokens:").contains("32 x 40");

    JsonObject student = written(output).get(2).getAsJsonObject();
    assertThat(student.keySet())
        .containsExactly("model", "parameters", "device", "threads", "passes");
    assertThat(student.getAsJsonArray("passes").get(0).getAsJsonObject().keySet())
        .containsExactly("tokens", "batch", "flops", "sentencesPerSecond", "timesTeacher");
  }

  private static JsonArray written(Path output) throws IOException {
    return JsonParser.parseString(Files.readString(output))
        .getAsJsonObject()
        .getAsJsonArray("speed");
  }

  /** Writes a student of one block. */
  private Path tiny(int seed) throws IOException {
    EncoderSpec teacher = HuggingFaceDirectory.open(Tiny.CLS).spec();
    EncoderSpec spec =
        new EncoderSpec(
            teacher.embeddings(),
            new EncoderSpec.Blocks(1, Tiny.WIDTH, Tiny.HEADS, 16),
            teacher.numerics(),
            teacher.head());
    Path to = directory.resolve("tiny_seed-" + seed);
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory.write(to, spec, StudentInit.random(manager, spec, seed), Tiny.CLS);
    }
    return to;
  }
}
