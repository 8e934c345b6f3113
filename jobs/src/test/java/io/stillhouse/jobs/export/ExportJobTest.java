package io.stillhouse.jobs.export;

import static io.stillhouse.jobs.Tiny.mistake;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExportJobTest {
  @TempDir private Path directory;

  @Test
  void writesEveryFormInLayoutOfConsumers() throws IOException {
    ExportRecord record = export(Tiny.CLS, "export.formats=" + ExportFormat.IDS);

    assertThat(Tiny.files(directory.resolve("export")).keySet())
        .containsExactlyInAnyOrder(
            "README.md",
            "config.json",
            "export.json",
            "model.pt",
            "model.safetensors",
            "ncnn/model.onnx",
            "onnx/model.onnx",
            "onnx/model_quantized.onnx",
            "serving.properties",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt");
    assertThat(record.forms())
        .extracting(ExportRecord.Form::format)
        .containsExactlyElementsOf(ExportFormat.IDS);
    for (ExportRecord.Form form : record.forms()) {
      assertThat(Files.size(directory.resolve("export").resolve(form.file())))
          .isEqualTo(form.bytes());
    }
    assertThat(ModelDirectory.open(directory.resolve("export")).spec())
        .isEqualTo(ModelDirectory.open(Tiny.CLS).spec());
  }

  @Test
  void writesNamesOfClasses() throws IOException {
    export(
        Tiny.CLS, "export.formats=[huggingface, torchscript]", "export.classes=[bad, so so, good]");

    assertThat(ModelDirectory.open(directory.resolve("export")).spec().head().labels())
        .containsExactly("bad", "so so", "good");
    assertThat(directory.resolve("export/README.md")).content().contains("`bad`, `so so`, `good`");
  }

  @Test
  void rejectsNamesOfOtherNumberOfClasses() throws IOException {
    assertThat(refused(Tiny.CLS, "export.classes=[bad, good]"))
        .contains(
            "export.classes must have a different name for each of the student's 3 classes"
                + " ([LABEL_0, LABEL_1, LABEL_2]), but is [bad, good]; list them in the order of"
                + " their ids");
    assertThat(refused(Tiny.CLS, "export.classes=[bad, good, good]"))
        .contains("export.classes must have a different name for each");
  }

  @Test
  void leavesOutWeightsIfTheyAreNotWanted() throws IOException {
    export(Tiny.CLS, "export.formats=onnx");

    assertThat(Tiny.files(directory.resolve("export")).keySet())
        .contains("config.json", "tokenizer.json", "onnx/model.onnx")
        .doesNotContain("model.safetensors");
  }

  @Test
  void sameStudentGivesSameFiles() throws IOException {
    export(Tiny.CLS, "export.formats=" + ExportFormat.IDS);
    Path first = Files.move(directory.resolve("export"), directory.resolve("first"));
    export(Tiny.CLS, "export.formats=" + ExportFormat.IDS);

    for (String file : Tiny.files(first).keySet()) {
      assertThat(directory.resolve("export").resolve(file))
          .hasSameBinaryContentAs(first.resolve(file));
    }
  }

  @Test
  void rejectsUnknownFormat() throws IOException {
    assertThat(refused(Tiny.CLS, "export.formats=[onnx, tflite]"))
        .contains(
            "export.formats must be a list, without duplicates, of some of huggingface, onnx,"
                + " onnx-int8, torchscript, ncnn, but is '[onnx, tflite]'");
  }

  @Test
  void rejectsFormatThatIsNamedTwice() throws IOException {
    assertThat(refused(Tiny.CLS, "export.formats=[onnx, onnx]"))
        .contains("export.formats must be a list, without duplicates, of some of");
  }

  @Test
  void rejectsMissingStudent() throws IOException {
    assertThat(refused("train.path=" + directory.resolve("students"), "student.name=distilled"))
        .contains("there is no student 'distilled' in train.path '")
        .contains("run train first, correct student.name, or name a directory in export.from");
  }

  @Test
  void rejectsUnfinishedStudent() throws IOException {
    Path checkpoints = directory.resolve("students/_checkpoints/distilled");
    Files.createDirectories(checkpoints);
    Files.writeString(checkpoints.resolve("step-000001200.safetensors"), "");

    assertThat(refused("train.path=" + directory.resolve("students"), "student.name=distilled"))
        .contains("student 'distilled' in '")
        .contains("is not finished: its newest checkpoint is of step 1,200; run train again");
  }

  @Test
  void rejectsExistingDirectory() throws IOException {
    Path export = Files.createDirectory(directory.resolve("export"));

    assertThat(mistake("export", "export.from=" + Tiny.CLS, "export.to=" + export))
        .contains("export' already exists; remove it or choose another directory");
    assertThat(export).isEmptyDirectory();
  }

  @Test
  void calibratesOnlyOnRowsThatModelCanRead() throws IOException {
    ModelSpec spec = ModelDirectory.open(Tiny.CLS).spec();
    int last = spec.vocabSize() - 1;

    assertThat(ExportJob.fits(row(1, last, 1), spec)).isTrue();
    assertThat(ExportJob.fits(row(spec.maxTokens(), last, 1), spec)).isTrue();
    assertThat(ExportJob.fits(row(1, last + 1, 1), spec)).isFalse();
    assertThat(ExportJob.fits(row(spec.maxTokens() + 1, last, 1), spec)).isFalse();
    assertThat(ExportJob.fits(row(1, last, 2), spec)).isFalse();
  }

  private static Pairing.Input row(int length, int id, int type) {
    int[] ids = new int[length];
    int[] types = new int[length];
    Arrays.fill(ids, id);
    Arrays.fill(types, type);
    return new Pairing.Input(ids, types);
  }

  /** Runs an export that fails, and requires that it leaves nothing behind. */
  private String refused(Path from, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of(more));
    arguments.add("export.from=" + from);
    return refused(arguments.toArray(String[]::new));
  }

  private String refused(String... arguments) throws IOException {
    List<Path> before = entries();
    List<String> command = new ArrayList<>(List.of("export"));
    command.addAll(List.of(arguments));
    command.add("export.to=" + directory.resolve("export"));
    String message = mistake(command.toArray(String[]::new));
    assertThat(entries()).isEqualTo(before);
    return message;
  }

  private List<Path> entries() throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.sorted().toList();
    }
  }

  private ExportRecord export(Path from, String... more) throws IOException {
    List<String> settings =
        List.of("export.from=" + from, "export.to=" + directory.resolve("export"));
    return new ExportJob(Tiny.settings(settings, more)).run(null);
  }
}
