package io.stillhouse.spark;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Mistakes that the driver reports before any row is computed. */
@Tag("spark")
class RejectedStagesTest {
  @TempDir private Path directory;

  private static TextClassifier classifier() {
    return new TextClassifier()
        .setModelUrl(Tiny.CLS.toString())
        .setInputCol("text")
        .setOutputCol("classes");
  }

  private static void assertRejected(TextTransformer<?> stage, String... messages) {
    Dataset<Row> table = Texts.table(Texts.SOME);
    assertThatThrownBy(() -> stage.transform(table))
        .isInstanceOf(StillhouseException.class)
        .message()
        .contains(messages);
  }

  @Test
  void rejectsMissingParameter() {
    assertRejected(
        new TextClassifier("stage").setInputCol("text"),
        "modelUrl of stage is not set; set it: modelUrl is the Hadoop path of");
  }

  @Test
  void rejectsMissingModel() {
    assertRejected(classifier().setModelUrl("nowhere"), "modelUrl does not exist: 'nowhere'");
  }

  @Test
  void rejectsModelWithoutWeights() throws IOException {
    Files.copy(Tiny.CLS.resolve("config.json"), directory.resolve("config.json"));
    assertRejected(classifier().setModelUrl(directory.toString()), "has no weights");
  }

  @Test
  void rejectsModelWithoutTokenizer() throws IOException {
    Tiny.copy(Tiny.CLS, directory);
    Files.deleteIfExists(directory.resolve("tokenizer.json"));
    Files.delete(directory.resolve("vocab.txt"));
    assertRejected(classifier().setModelUrl(directory.toString()), directory.toString());
  }

  @Test
  void rejectsModelWithoutClassificationHead() {
    assertRejected(
        classifier().setModelUrl(Tiny.MLM.toString()),
        "has no classification head (its head is MASKED_LM)");
  }

  @Test
  void rejectsRegression() {
    assertRejected(classifier().setModelUrl(Tiny.REG.toString()), "predicts a score, not classes");
  }

  @Test
  void rejectsMissingColumn() {
    assertRejected(
        classifier().setInputCol("txt"),
        "there is no input column 'txt'; the columns are id; text; set inputCol to one of them");
  }

  @Test
  void rejectsColumnOfNumbers() {
    assertRejected(
        classifier().setInputCol("id"), "input column 'id' must be of type string, but is int");
  }

  @Test
  void rejectsExistingOutputColumn() {
    assertRejected(classifier().setOutputCol("Text"), "the output column 'Text' already exists");
  }

  @Test
  void rejectsUnknownEngine() {
    assertRejected(
        classifier().setEngine("TensorFlow"),
        "engine must be PyTorch or OnnxRuntime, but is 'TensorFlow'");
  }

  @Test
  void rejectsEngineWithoutItsFile() {
    assertRejected(classifier().setEngine("OnnxRuntime"), "has no onnx/model.onnx");
  }

  @Test
  void rejectsEngineThatDoesNotComputeFile() throws IOException {
    Path graph = Files.createFile(directory.resolve("model.onnx"));
    assertRejected(
        classifier().setModelUrl(graph.toString()).setEngine("PyTorch"),
        "engine is PyTorch, but '" + graph + "' needs OnnxRuntime");
  }

  @Test
  void rejectsEmbeddingsOfGraphThatReturnsLogits() throws IOException {
    Path graph = Tiny.copy(Tiny.CLS, directory).resolve("model.onnx");
    OnnxExport.write(ModelDirectory.open(directory), graph);
    assertRejected(
        new TextEmbedder().setModelUrl(graph.toString()).setInputCol("text"),
        "returns logits only, so it gives no embeddings");
  }

  @Test
  void rejectsDamagedGraph() throws IOException {
    Path graph = Tiny.copy(Tiny.CLS, directory).resolve("model.onnx");
    Files.writeString(graph, "no graph");
    assertRejected(classifier().setModelUrl(graph.toString()), "ONNX Runtime cannot read");
  }

  @Test
  void rejectsUnknownPooling() {
    assertRejected(
        new TextEmbedder().setModelUrl(Tiny.CLS.toString()).setInputCol("text").setPooling("max"),
        "pooling must be mean or cls, but is 'max'");
  }

  @Test
  void rejectsBatchSizeOfZero() {
    assertThatThrownBy(() -> classifier().setBatchSize(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("batchSize given invalid value 0");
  }
}
