package io.stillhouse.jobs.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.evaluate.InterleavedBenchmark;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class SpeedTest {
  private static final Path BI_LSTM = Tiny.CLS.resolveSibling("bilstm-tiny-pair-v1");

  @Test
  void tableHasLineForEachModelAndColumnForEachPass() {
    List<Speed> speeds =
        List.of(
            speed(
                "teacher", 1_234_567, 22_347_000_000L, new InterleavedBenchmark.Rate(0.5, 1, 2, 3)),
            speed("tiny", 1_000, 10_000, new InterleavedBenchmark.Rate(100, 200, 0.01, 0.02)));
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
            "teacher +1,234,567 +22,347\\.00 +22,347\\.00( +0\\.5 \\(1\\.00x\\) +16\\.0"
                + " \\(1\\.00x\\)){2}");
    assertThat(lines.get(3))
        .matches(
            "tiny +1,000 +0\\.01 +0\\.01( +100\\.0 \\(200\\.00x\\) +3,200\\.0 \\(200\\.00x\\)){2}");
    assertThat(lines.get(1)).hasSameSizeAs(lines.get(2)).hasSameSizeAs(lines.get(3));
    assertThat(Speed.table(List.of())).isEmpty();
  }

  @Test
  void tableOfModelsHasLatencyAndThroughputOfShortestSentences() {
    List<Speed> speeds =
        List.of(
            speed("teacher", 9, 9, new InterleavedBenchmark.Rate(0.5, 1, 2, 3)),
            speed("tiny", 9, 9, new InterleavedBenchmark.Rate(100, 200, 0.01, 0.02)));

    assertThat(Speed.heads(speeds)).containsExactly("ms 1 x 32 (p95)", "per s 32 x 32");
    assertThat(Speed.cells(speeds, "tiny")).containsExactly("10.00 (20.00)", "3,200.0");
    assertThat(Speed.cells(speeds, "another seed")).containsExactly("", "");
    assertThat(Speed.heads(List.of())).isEmpty();
    assertThat(Speed.cells(List.of(), "tiny")).isEmpty();
  }

  private static Speed speed(
      String name, long parameters, long flops, InterleavedBenchmark.Rate rate) {
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
  void measuresOneStudentPerGroupOfSeeds() throws IOException {
    ModelSpec bert = HuggingFaceDirectory.open(Tiny.CLS).spec();
    ModelSpec lstm = ModelDirectory.open(BI_LSTM).spec();
    List<SpeedStage.Model> models =
        List.of(
            model("teacher", "/t", bert),
            model("tiny_seed-1", "/1", bert),
            model("tiny_seed-1-baseline", "/1u", bert),
            model("tiny_seed-2", "/2", bert),
            model("tiny_seed-3", "/3", lstm),
            model("tiny", "/4", bert));

    assertThat(SpeedStage.distinct(models))
        .containsExactly(
            models.get(0),
            model("tiny", "/1", bert),
            models.get(2),
            models.get(4), // of another shape
            models.get(5));
  }

  @Test
  void limitsLengthsToPositionsOfEveryModel() throws IOException {
    SpeedStage.Model bert = model("bert", "/b", HuggingFaceDirectory.open(Tiny.CLS).spec());
    SpeedStage.Model lstm = model("lstm", "/l", ModelDirectory.open(BI_LSTM).spec());

    assertThat(SpeedStage.lengths(List.of(bert, lstm))).containsExactly(32, 40);
    assertThat(SpeedStage.lengths(List.of(lstm))).containsExactly(32, 128);
  }

  private static SpeedStage.Model model(String name, String path, ModelSpec spec) {
    return new SpeedStage.Model(name, ModelLocation.parse(path), spec);
  }
}
