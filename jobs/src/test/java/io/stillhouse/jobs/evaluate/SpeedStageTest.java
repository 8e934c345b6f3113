package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.evaluate.Flops;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class SpeedStageTest {
  private static final Path BI_LSTM = Tiny.CLS.resolveSibling("bilstm-tiny-pair-v1");

  @TempDir private Path directory;

  @Test
  void writesSpeedOfEveryShape() throws IOException {
    Evaluation evaluation = evaluate("evaluate.speed=true", "evaluate.speed-seconds=0.01");

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

    JsonObject student = written().get(2).getAsJsonObject();
    assertThat(student.keySet())
        .containsExactly("model", "parameters", "device", "threads", "passes");
    assertThat(student.getAsJsonArray("passes").get(0).getAsJsonObject().keySet())
        .containsExactly(
            "tokens", "batch", "flops", "sentencesPerSecond", "timesTeacher", "p50", "p95");
  }

  private JsonArray written() throws IOException {
    return JsonParser.parseString(Files.readString(directory.resolve("evaluation.json")))
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

  @Test
  void measuresSpeedOnlyOnRequest() throws IOException {
    assertThat(evaluate().speed()).isEmpty();
    assertThat(written()).isEmpty();
  }

  private Evaluation evaluate(String... more) throws IOException {
    Path rows = directory.resolve("rows.tsv");
    Files.writeString(rows, "text\tother\tlabel\nhe was\tnot\tLABEL_0\nit is\tof the\tLABEL_2\n");
    TinyRecipe recipe =
        TinyRecipe.labelled(rows)
            .with(
                "corpus.pair=other",
                format("evaluate.models=[%s, %s, %s]", BI_LSTM, tiny(1), tiny(2)),
                "evaluate.output=" + directory.resolve("evaluation.json"));
    return new EvaluateJob(Tiny.spark(), recipe.settings(more)).run();
  }
}
