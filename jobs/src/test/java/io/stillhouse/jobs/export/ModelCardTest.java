package io.stillhouse.jobs.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelCardTest {
  @TempDir private Path directory;

  @Test
  void namesClassesAsTheyAre() throws IOException {
    Head head = new Head(Task.CLASSIFICATION, List.of("a|b", "`code`", "two\nlines *x*"));
    Path model = BrokenModels.withHead(Tiny.CLS, head, directory.resolve("model"));

    assertThat(card(model, "export.formats=huggingface", "export.license=a: b"))
        .startsWith("---\nlicense: \"a: b\"\n")
        .contains("one of the classes `a|b`, `` `code` ``, `two lines *x*`.");
  }

  @Test
  void usesFormsThatExist() throws IOException {
    assertThat(card(Tiny.CLS, "export.formats=[torchscript, onnx]"))
        .contains("new io.stillhouse.spark.TextClassifier()", ".setModelUrl(\"export/model.pt\")")
        .doesNotContain("from transformers import");
  }

  @Test
  void noStagePredictsScores() throws IOException {
    assertThat(card(Tiny.REG))
        .contains("setTypes(String.class, float[].class)")
        .doesNotContain("io.stillhouse.spark");
  }

  @Test
  void fillsMaskOfMaskedLm() throws IOException {
    assertThat(card(Tiny.MLM))
        .contains("pipeline(\"fill-mask\", model=\"export\")", "a text with a [MASK]")
        .contains("setTypes(String.class, Classifications.class)", "TextEmbedder");
  }

  @Test
  void embedsWithBareEncoder() throws IOException {
    Path model = BrokenModels.withHead(Tiny.CLS, Head.NONE, directory.resolve("model"));

    assertThat(card(model))
        .contains("TextEmbedder", "setTypes(String.class, float[].class)")
        .doesNotContain("[MASK]");
  }

  @Test
  void leavesOutRecordsThatAreDamaged() throws IOException {
    Path model = Tiny.copy(Tiny.CLS, directory.resolve("model"));
    Files.writeString(model.resolve("training.json"), "{\"name\": \"mod");
    Path cache = Files.createDirectory(directory.resolve("cache"));
    Files.writeString(cache.resolve("plan.json"), "{");
    Path evaluation = Files.writeString(directory.resolve("evaluation.json"), "{\"models\": 3}");
    Files.writeString(
        directory.resolve("train-model.json"),
        "{\"recipe\": {\"cache.path\": \""
            + cache
            + "\", \"evaluate.output\": \""
            + evaluation
            + "\", \"train.epochs\": \"7\", \"train.path\": {}}}");

    assertThat(card(model)).contains("train.epochs = 7").doesNotContain("Teacher:", "## Metrics");
  }

  @Test
  void leavesOutMetricsWithoutRecordOfTraining() throws IOException {
    Path model = Tiny.copy(Tiny.CLS, directory.resolve("model"));
    Path evaluation =
        Files.writeString(
            directory.resolve("evaluation.json"),
            "{\"models\": [{\"name\": \"model\", \"path\": \"file:"
                + model
                + "\"}], \"comparisons\": [], \"data\": {}, \"speed\": []}");
    Files.writeString(
        directory.resolve("train-model.json"),
        "{\"recipe\": {\"evaluate.output\": \"" + evaluation + "\"}}");

    assertThat(card(model)).doesNotContain("## Metrics");
  }

  private String card(Path model, String... more) throws IOException {
    Path export = directory.resolve("export");
    List<String> settings = List.of("export.from=" + model, "export.to=" + export);
    new ExportJob(Tiny.settings(settings, more)).run(null);
    return Files.readString(export.resolve("README.md"));
  }
}
