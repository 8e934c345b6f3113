package io.stillhouse.jobs.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code export.evaluate}: each form is compared with the weights on rows with labels. */
@Tag("spark")
class ExportEvaluationTest {
  @TempDir private Path directory;
  private Path rows;

  @BeforeEach
  void writeRows() throws IOException {
    rows = Tiny.labelled(directory.resolve("dev.tsv"), 60, "1", "0");
  }

  @Test
  void cardTellsWhatEachFormCosts() throws IOException {
    ExportRecord record = export("export.formats=[huggingface, onnx, onnx-int8, torchscript]");

    Evaluation quality = record.quality();
    assertThat(quality.models())
        .extracting(Evaluation.Model::name)
        .containsExactly("float32", "onnx", "onnx-int8", "torchscript");
    for (Evaluation.Model form : quality.models()) {
      assertThat(form.metrics()).containsKeys("agreement", "accuracy");
      if (!form.name().equals("onnx-int8")) {
        assertThat(form.metrics()).isEqualTo(quality.models().get(0).metrics());
      }
    }
    assertThat(Files.readString(directory.resolve("export/README.md")))
        .contains("| file | form | size | agreement | accuracy |")
        .contains("| `onnx/model_quantized.onnx` | onnx-int8 |")
        .contains("Evaluated on 60 rows of `dev.tsv`; agreement is with the float32 weights.");
  }

  @Test
  void recordsPathsOfExportedForms() throws IOException {
    ExportRecord record = export("export.formats=[huggingface, onnx]");

    String exported = "file:" + directory.resolve("export");
    assertThat(Objects.requireNonNull(record.quality()).models())
        .extracting(Evaluation.Model::path)
        .containsExactly("file:" + Tiny.CLS, exported + "/onnx/model.onnx");
  }

  @Test
  void leavesPredictionsOfEvaluateAlone() throws IOException {
    Path predictions = Files.writeString(directory.resolve("predictions.jsonl"), "of evaluate");

    export("export.formats=onnx", "evaluate.predictions=" + predictions);

    assertThat(predictions).hasContent("of evaluate");
  }

  @Test
  void evaluatesWeightsOfMaskedLmOnly() throws IOException {
    ExportRecord record = export("export.formats=[huggingface, onnx]", "export.from=" + Tiny.MLM);

    assertThat(Objects.requireNonNull(record.quality()).models())
        .extracting(Evaluation.Model::name)
        .containsExactly("float32");
  }

  @Test
  void rejectsMissingRowsBeforeAnythingIsWritten() throws IOException {
    assertThatThrownBy(() -> export("export.evaluate=" + directory.resolve("nowhere.tsv")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("nowhere.tsv");
    assertNothingWritten();
  }

  @Test
  void rejectsClassesOfAnotherNumber() throws IOException {
    assertThatThrownBy(() -> export("corpus.classes=[a, b]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("corpus.classes");
    assertNothingWritten();
  }

  @Test
  void calibratesWithRowsOfCacheThatModelCanRead() throws IOException {
    Path cache = directory.resolve("cache");
    new CacheJob(
            Tiny.spark(),
            Tiny.settings(
                List.of(
                    "teacher.path=" + Tiny.CLS,
                    "corpus.path=" + rows,
                    "corpus.text=text",
                    "corpus.max-length=40",
                    "cache.path=" + cache)))
        .run();
    Path shorter = BrokenModels.withPositions(Tiny.CLS, 4, directory.resolve("shorter"));

    assertThat(calibrated(shorter, cache).forms().get(0).notes().toString())
        .contains("the plain variant");
    FileUtils.deleteDirectory(directory.resolve("export").toFile());
    assertThat(calibrated(Tiny.CLS, cache).forms().get(0).notes().toString())
        .contains("variant, chosen on rows of the cache by the mean absolute difference");
  }

  private ExportRecord calibrated(Path student, Path cache) throws IOException {
    return export(
        "export.from=" + student,
        "export.formats=onnx-int8",
        "export.evaluate=[]",
        "cache.path=" + cache);
  }

  @Test
  void evaluateComparesFormsOfExportInOneTable() throws IOException {
    export("export.formats=[huggingface, onnx-int8, ncnn]", "export.evaluate=[]");
    Path exported = directory.resolve("export");

    Evaluation evaluation =
        new EvaluateJob(Tiny.spark(), evaluation("evaluate.exports=" + exported)).run();

    assertThat(evaluation.models())
        .extracting(Evaluation.Model::name)
        .containsExactly("teacher", "export", "export (onnx-int8)");
    assertThat(evaluation.bytes())
        .containsEntry("export", Files.size(exported.resolve("model.safetensors")))
        .containsEntry(
            "export (onnx-int8)", Files.size(exported.resolve("onnx/model_quantized.onnx")));
    assertThat(evaluation.table().lines().findFirst().orElseThrow())
        .containsSubsequence("MB", "agreement", "accuracy", "ms 1 x 32 (p95)", "per s 32 x 32");
    assertThat(evaluation.speed())
        .allSatisfy(
            speed ->
                assertThat(speed.passes())
                    .allSatisfy(pass -> assertThat(pass.p95()).isGreaterThanOrEqualTo(pass.p50())));
  }

  @Test
  void evaluateRejectsDirectoryWithoutForms() throws IOException {
    Path empty = Files.createDirectory(directory.resolve("empty"));

    assertThatThrownBy(() -> new EvaluateJob(Tiny.spark(), evaluation("evaluate.exports=" + empty)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("evaluate.exports")
        .hasMessageContaining("empty")
        .hasMessageContaining("name a directory that export wrote");
  }

  private Settings evaluation(String... more) {
    return Tiny.settings(
        List.of(
            "teacher.path=" + Tiny.CLS,
            "corpus.path=" + rows,
            "corpus.max-length=40",
            "corpus.text=text",
            "corpus.label=label",
            "evaluate.speed=true",
            "evaluate.speed-seconds=0.01",
            "evaluate.output=" + directory.resolve("evaluation.json")),
        more);
  }

  private void assertNothingWritten() throws IOException {
    try (var entries = Files.list(directory)) {
      assertThat(entries).containsExactly(rows);
    }
  }

  private ExportRecord export(String... more) throws IOException {
    List<String> settings =
        new ArrayList<>(
            List.of(
                "export.from=" + Tiny.CLS,
                "export.to=" + directory.resolve("export"),
                "export.evaluate=" + rows,
                "corpus.max-length=40",
                "corpus.text=text",
                "corpus.label=label"));
    return new ExportJob(Tiny.settings(settings, more)).run(Tiny.spark());
  }
}
