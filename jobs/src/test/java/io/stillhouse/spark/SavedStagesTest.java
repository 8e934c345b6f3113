package io.stillhouse.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.commons.io.FileUtils;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.Tokenizer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class SavedStagesTest {
  @TempDir private Path directory;

  private Path model;
  private TextClassifier classifier;
  private Dataset<Row> table;

  @BeforeEach
  void createsClassifier() throws IOException {
    model = Tiny.copy(Tiny.CLS, directory.resolve("model"));
    classifier = new TextClassifier().setModelUrl(model.toString()).setInputCol("text");
    table = Texts.table(Texts.SOME);
  }

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  @Test
  void loadsSavedParameters() throws IOException {
    TextEmbedder embedder =
        new TextEmbedder()
            .setModelUrl(model.toString())
            .setInputCol("a")
            .setOutputCol("b")
            .setEngine("PyTorch")
            .setBatchSize(7)
            .setMaxLength(9)
            .setCopyModel(false)
            .setPooling("cls")
            .setNormalize(false);
    embedder.save(path("embedder"));

    TextEmbedder loaded = TextEmbedder.load(path("embedder"));

    assertThat(loaded.uid()).isEqualTo(embedder.uid());
    assertThat(loaded.explainParams())
        .isEqualTo(embedder.setModelUrl("file:" + model).explainParams());
  }

  @Test
  void movedPipelineContainsItsModel() throws IOException {
    PipelineModel pipeline = new Pipeline().setStages(new PipelineStage[] {classifier}).fit(table);
    List<Row> expected = pipeline.transform(table).collectAsList();
    pipeline.save(path("saved"));
    FileUtils.deleteDirectory(model.toFile());
    Files.move(directory.resolve("saved"), directory.resolve("moved"));

    assertThat(PipelineModel.load(path("moved")).transform(table).collectAsList())
        .isEqualTo(expected);
  }

  @Test
  void savesLoadedStageAgain() throws IOException {
    classifier.save(path("first"));
    TextClassifier.load(path("first")).save(path("second"));
    FileUtils.deleteDirectory(directory.resolve("first").toFile());

    assertThat(TextClassifier.load(path("second")).transform(table).collectAsList())
        .isEqualTo(classifier.transform(table).collectAsList());
  }

  @Test
  void refusesToOverwriteItsOwnModel() throws IOException {
    classifier.save(path("saved"));
    TextClassifier loaded = TextClassifier.load(path("saved"));

    assertThatThrownBy(() -> loaded.write().overwrite().save(path("saved")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("so overwriting would delete it; save to another path");
    assertThat(TextClassifier.load(path("saved")).transform(table).count())
        .isEqualTo(table.count());
  }

  @Test
  void copiesOnlyFilesOfModel() throws IOException {
    Files.writeString(model.resolve("metrics.jsonl"), "");
    classifier.save(path("saved"));

    assertThat(Tiny.files(directory.resolve("saved/model")).keySet())
        .containsExactlyInAnyOrder("config.json", "model.safetensors", "vocab.txt");
  }

  @Test
  void savesGraphThatEngineChose() throws IOException {
    Files.createDirectory(model.resolve("onnx"));
    Files.writeString(model.resolve("onnx/model.onnx_data"), "weights of a larger graph");
    OnnxExport.write(ModelDirectory.open(model), model.resolve("onnx/model.onnx"));
    classifier.setEngine("OnnxRuntime");
    List<Row> expected = classifier.transform(table).collectAsList();
    classifier.save(path("saved"));
    FileUtils.deleteDirectory(model.toFile());

    TextClassifier loaded = TextClassifier.load(path("saved"));

    assertThat(loaded.getModelUrl()).isEqualTo("file:" + path("saved/model/onnx/model.onnx"));
    assertThat(directory.resolve("saved/model/onnx/model.onnx_data")).exists();
    assertThat(directory.resolve("saved/model/model.safetensors")).doesNotExist();
    assertThat(loaded.transform(table).collectAsList()).isEqualTo(expected);
  }

  @Test
  void savesReferenceIfModelIsNotCopied() throws IOException {
    classifier.setCopyModel(false).save(path("saved"));

    assertThat(directory.resolve("saved/model")).doesNotExist();
    assertThat(TextClassifier.load(path("saved")).getModelUrl()).isEqualTo("file:" + model);
  }

  @Test
  void refusesToSaveMissingModel() {
    assertThatThrownBy(() -> classifier.setModelUrl("nowhere").save(path("saved")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("modelUrl does not exist: 'nowhere'");
    assertThat(directory.resolve("saved/metadata")).doesNotExist();
  }

  @Test
  void worksBetweenOtherStages() throws IOException {
    Pipeline pipeline =
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new StringIndexer().setInputCol("text").setOutputCol("index"),
                  new Tokenizer().setInputCol("text").setOutputCol("words"),
                  new HashingTF().setInputCol("words").setOutputCol("counts"),
                  classifier.setOutputCol("classes"),
                  // Needs the metadata of the column index.
                  new IndexToString().setInputCol("index").setOutputCol("again")
                });
    PipelineModel fitted = pipeline.fit(table);
    fitted.save(path("saved"));

    List<Row> rows = PipelineModel.load(path("saved")).transform(table).collectAsList();

    assertThat(rows).isEqualTo(fitted.transform(table).collectAsList());
    assertThat(rows.stream().map(row -> row.<String>getAs("again")).toList()).isEqualTo(Texts.SOME);
    assertThat(rows).allSatisfy(row -> assertThat(row.<Object>getAs("classes")).isNotNull());
  }
}
