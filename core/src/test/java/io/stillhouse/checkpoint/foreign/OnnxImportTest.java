package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Imports of ONNX files. */
class OnnxImportTest extends ImporterFixture {
  @Test
  void importsOnnx() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(ENCODER);
    OnnxWriter.write(source.resolve("tiny.onnx"), ENCODER, weights, "Erf");
    tokenizerJson(source.resolve("tokenizer.json"));

    Importer.Imported imported = Importer.importTeacher(source.resolve("tiny.onnx"), destination);

    assertThat(imported.model().spec()).isEqualTo(ENCODER);
    assertThat(imported.notes()).isEmpty();
    assertWeights(weights, "bert.");
  }

  @Test
  void importsOnnxJarWithTokenizerNamedAfterModel() throws IOException {
    OnnxWriter.write(source.resolve("tiny.onnx"), ENCODER, TinyModel.weights(ENCODER), "Erf");
    tokenizerJson(source.resolve("tiny-tokenizer.json"));
    Path jar = directory.resolve("tiny.jar");
    zip(jar, source, "models/");

    assertThat(Importer.importTeacher(jar, destination).model().spec()).isEqualTo(ENCODER);
  }

  @Test
  void rejectsOnnxWithUnsupportedActivation() throws IOException {
    Path onnx = source.resolve("tiny.onnx");
    OnnxWriter.write(onnx, ENCODER, TinyModel.weights(ENCODER), "Tanh");
    tokenizerJson(source.resolve("tokenizer.json"));

    assertThatThrownBy(() -> Importer.importTeacher(onnx, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' does not use the exact (erf) gelu; use a BERT encoder with hidden_act gelu",
                onnx));
    assertThat(destination).doesNotExist();
    assertLeftNothingElse();
  }

  @Test
  void reportsTensorsMissingFromOnnx() throws IOException {
    Path onnx = source.resolve("tiny.onnx");
    Map<String, LazyTensor> weights = TinyModel.weights(ENCODER);
    weights.remove("bert.encoder.layer.1.attention.self.key.bias");
    OnnxWriter.write(onnx, ENCODER, weights, "Erf");
    tokenizerJson(source.resolve("tokenizer.json"));

    assertThatThrownBy(() -> Importer.importTeacher(onnx, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "the weights of '%s' do not match its configuration: tensor"
                    + " 'bert.encoder.layer.1.attention.self.key.bias' [4] is missing; use the"
                    + " config and the weights of the same model",
                onnx));
  }

  @ParameterizedTest
  @EnumSource(names = {"LISTS", "EXTERNAL"})
  void importsOnnxWhoseValuesAreElsewhere(OnnxWriter.Values values) throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(ENCODER);
    OnnxWriter.write(source.resolve("tiny.onnx"), ENCODER, weights, values, "tiny.onnx.data");
    tokenizerJson(source.resolve("tokenizer.json"));

    Importer.Imported imported = Importer.importTeacher(source, destination);

    assertThat(imported.model().spec()).isEqualTo(ENCODER);
    assertWeights(weights, "bert.");
  }

  @Test
  void rejectsOnnxWithWeightsOutsideOfItsDirectory() throws IOException {
    Path onnx = source.resolve("tiny.onnx");
    OnnxWriter.write(
        onnx, ENCODER, TinyModel.weights(ENCODER), OnnxWriter.Values.EXTERNAL, "../outside.data");
    tokenizerJson(source.resolve("tokenizer.json"));

    assertThat(directory.resolve("outside.data")).exists();
    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            format("'%s' names the file '../outside.data', but only plain names", onnx));
  }

  @Test
  void namesMissingFileOfOnnxWeights() throws IOException {
    Path onnx = source.resolve("tiny.onnx");
    OnnxWriter.write(
        onnx, ENCODER, TinyModel.weights(ENCODER), OnnxWriter.Values.EXTERNAL, "weights");
    Files.delete(source.resolve("weights"));
    tokenizerJson(source.resolve("tokenizer.json"));

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' has its weights in 'weights', which is missing; copy it next to the .onnx file",
            onnx);
  }

  @ParameterizedTest
  @CsvSource({
    "embeddings.LayerNorm.bias, doc.embeddings.LayerNorm.bias",
    "/encoder/layer.0/output/dense/MatMul, doc.encoder.layer.0.output.dense.weight"
  })
  void rejectsOnnxOfTwoEncoders(String first, String second) throws IOException {
    Path onnx = source.resolve("tiny.onnx");
    Map<String, LazyTensor> weights = TinyModel.weights(ENCODER);
    weights.put("bert." + second, TinyModel.tensor("doc", 4));
    OnnxWriter.write(onnx, ENCODER, weights, "Erf");
    tokenizerJson(source.resolve("tokenizer.json"));

    assertThatThrownBy(() -> Importer.importTeacher(onnx, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("'%s' has two tensors for the parameter 'bert.", onnx))
        .hasMessageContaining("'" + first + "'")
        .hasMessageContaining("'" + second + "'");
  }
}
