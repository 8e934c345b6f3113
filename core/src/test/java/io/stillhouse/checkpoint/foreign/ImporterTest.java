package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.PickleWriter;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImporterTest extends ImporterFixture {
  @Test
  void importsTensorFlowVariables() throws IOException {
    Map<String, LazyTensor> weights = withPooler(MASKED_LM);
    savedModel(weights);

    Importer.Imported imported = Importer.importTeacher(source, destination);

    assertThat(imported.model().spec()).isEqualTo(MASKED_LM);
    assertThat(imported.model().has("bert.pooler.dense.weight")).isTrue();
    assertThat(imported.notes())
        .containsExactly(
            "left out variables that are not BERT's: global_step",
            "assumed 1 attention heads: width 64 / 64, the head size of Google's BERT models",
            format(
                "'%s' does not say whether text is lower-cased; assumed do_lower_case=true, because"
                    + " the vocabulary has no capitalized word",
                destination));
    assertWeights(weights, "");
    try (Tokenizer tokenizer = Tokenizer.open(destination)) {
      assertThat(tokenizer.encode(List.of("The playing")).get(0).ids()).containsExactly(5, 6, 7);
    }
    assertLeftNothingElse();
  }

  @Test
  void importsZipInsideJar() throws IOException {
    Map<String, LazyTensor> weights = withPooler(MASKED_LM);
    savedModel(weights);
    Path inner = directory.resolve("inner.zip");
    zip(inner, source, "");
    Path jar = directory.resolve("model.jar");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new ZipEntry("com/example/model"));
      Files.copy(inner, out);
      out.putNextEntry(new ZipEntry("com/example/after.txt"));
      out.write(1);
    }

    assertThat(Importer.importTeacher(jar, destination).model().spec()).isEqualTo(MASKED_LM);
    assertWeights(weights, "");
    assertLeftNothingElse();
  }

  @Test
  void takesHeadsFromBertConfig() throws IOException {
    savedModel(withPooler(MASKED_LM));
    Files.writeString(
        source.resolve("variables").resolve("bert_config.json"),
        "{\"num_attention_heads\": 4, \"hidden_act\": \"gelu\"}");

    assertThat(Importer.importTeacher(source, destination).model().spec().heads()).isEqualTo(4);
  }

  @Test
  void copiesHuggingFaceDirectory() throws IOException {
    TinyModel.write(source, ENCODER, TinyModel.weights(ENCODER));
    Files.writeString(source.resolve("README.md"), "not copied");

    assertThat(Importer.importTeacher(source, destination).model().spec()).isEqualTo(ENCODER);
    try (Stream<Path> files = Files.list(destination)) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .containsExactlyInAnyOrder(
              "config.json",
              "model.safetensors",
              "vocab.txt",
              "tokenizer.json",
              "tokenizer_config.json");
    }
  }

  @Test
  void rejectsExistingDestination() throws IOException {
    Files.createDirectories(destination);

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format("'%s' already exists; delete it, or choose another destination", destination));
  }

  @Test
  void rejectsDirectoryThatCannotBeRead() throws IOException {
    // Not even root can read a path of more than 4096 characters, which is made by moving a
    // directory.
    String name = "d".repeat(255);
    String deep = (name + "/").repeat(7);
    Path lower = directory.resolve("lower");
    Files.createDirectories(lower.resolve(deep));
    Path moved =
        Files.move(lower, Files.createDirectories(source.resolve(deep + name)).resolve(name));
    try {
      assertThatThrownBy(() -> Importer.importTeacher(source, destination))
          .isInstanceOf(StillhouseException.class)
          .hasMessageStartingWith("cannot read '")
          .hasMessageEndingWith(
              "' in '%s' (File name too long); make it readable, or import a directory without it",
              source);
    } finally {
      Files.move(moved, lower); // so that it can be deleted
    }
  }

  @Test
  void rejectsSourceWithoutModel() {
    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' contains no config.json, TensorFlow variables (.index) or .onnx file; import"
                    + " a Hugging Face directory, a TensorFlow checkpoint of BERT, or an ONNX"
                    + " export with its tokenizer.json",
                source));
  }

  @Test
  void rejectsTruncatedJar() throws IOException {
    TinyModel.write(source, ENCODER, TinyModel.weights(ENCODER));
    Path jar = directory.resolve("tiny.jar");
    zip(jar, source, "");
    Files.write(jar, java.util.Arrays.copyOf(Files.readAllBytes(jar), 1000));

    assertThatThrownBy(() -> Importer.importTeacher(jar, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("'%s' is not a complete zip file (", jar));
    assertLeftNothingElse();
  }

  @Test
  void rejectsEntryOutsideArchive() throws IOException {
    Path jar = directory.resolve("evil.jar");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new ZipEntry("../../evil.txt"));
      out.write(1);
    }

    assertThatThrownBy(() -> Importer.importTeacher(jar, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' has an entry outside its root: '../../evil.txt'; do not use this file", jar));
  }

  @Test
  void importsToPathWithDots() throws IOException {
    Path jar = directory.resolve("tiny.jar");
    TinyModel.write(source, ENCODER, TinyModel.weights(ENCODER));
    zip(jar, source, "");
    Path dotted = directory.resolve("source/.././out/./teacher");

    Importer.importTeacher(jar, dotted);

    assertThat(destination.resolve("model.safetensors")).exists();
    assertLeftNothingElse();
  }

  @Test
  void importsCloneThatAlsoHasOtherFormats() throws IOException {
    TinyModel.write(source, ENCODER, TinyModel.weights(ENCODER));
    OnnxWriter.write(
        Files.createDirectory(source.resolve("onnx")).resolve("model.onnx"),
        ENCODER,
        TinyModel.weights(ENCODER),
        "Erf");
    Files.writeString(source.resolve("tf_model.h5"), "TensorFlow");
    Files.createDirectory(source.resolve("1_Pooling"));
    Files.writeString(source.resolve("1_Pooling/config.json"), "{\"pooling_mode\": \"mean\"}");

    Importer.Imported imported = Importer.importTeacher(source, destination);

    assertThat(imported.notes())
        .hasSize(2) // the other is on casing
        .contains(
            "read model.safetensors, and passed over other files of weights: onnx/model.onnx;"
                + " tf_model.h5");
    assertWeights(TinyModel.weights(ENCODER), "bert.");
  }

  @Test
  void rejectsDirectoryOfSeveralModels() throws IOException {
    TinyModel.write(source.resolve("a"), ENCODER, TinyModel.weights(ENCODER));
    TinyModel.write(source.resolve("b"), ENCODER, TinyModel.weights(ENCODER));

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(format("'%s' contains several models: a; b; import", source));
  }

  @Test
  void writesPyTorchWeightsAsSafetensors() throws IOException {
    Map<String, LazyTensor> weights = TinyModel.weights(MASKED_LM);
    TinyModel.write(source, MASKED_LM);
    TinyModel.edit(source, "\"model_type\": \"bert\",", "\"kept\": 1,");
    Map<String, LazyTensor> stored = new LinkedHashMap<>();
    weights.forEach((name, tensor) -> stored.put("module." + name, tensor));
    stored.put("module.fit_dense.weight", TinyModel.tensor("fit", 2, 2));
    PickleWriter.write(source.resolve("pytorch_model.bin"), stored);
    Files.delete(source.resolve("model.safetensors"));

    Importer.Imported imported = Importer.importTeacher(source, destination);

    assertThat(imported.notes())
        .hasSize(4) // the last is on casing
        .anyMatch(note -> note.contains("no model_type"))
        .anyMatch(note -> note.contains("'module.'"))
        .anyMatch(note -> note.contains("fit_dense"));
    assertThat(imported.model().notes()).isEmpty();
    assertWeights(weights, "");
    assertThat(Files.readString(destination.resolve("config.json")))
        .contains("\"kept\": 1", "\"model_type\": \"bert\"", "\"torch_dtype\": \"float32\"");
    assertThat(destination.resolve("pytorch_model.bin")).doesNotExist();
  }

  @Test
  void importsHeadOfRunClassifier() throws IOException {
    EncoderSpec spec =
        TinyModel.spec(
            64, 1, new Head(Task.CLASSIFICATION, List.of("LABEL_0", "LABEL_1", "LABEL_2")));
    Map<String, LazyTensor> weights = TinyModel.weights(spec);
    savedModel(weights);

    Importer.Imported imported = Importer.importTeacher(source, destination);

    assertThat(imported.model().spec()).isEqualTo(spec);
    assertThat(imported.notes())
        .contains(
            "the checkpoint does not name its classes; they are called LABEL_0, LABEL_1, ...");
    assertWeights(weights, "");
  }

  @Test
  void rejectsVariablesOfTwoEncoders() throws IOException {
    savedModel(withPooler(MASKED_LM));
    Map<String, LazyTensor> variables = new LinkedHashMap<>();
    variables.put("query/bert/pooler/dense/bias", TinyModel.tensor("query", 64));
    variables.put("doc/bert/pooler/dense/bias", TinyModel.tensor("doc", 64));
    Path index = BundleWriter.write(source.resolve("variables").resolve("variables"), variables);

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' has two tensors for the parameter 'bert.pooler.dense.bias':"
                + " 'doc/bert/pooler/dense/bias' and 'query/bert/pooler/dense/bias'; export one"
                + " encoder alone, without optimization",
            index);
  }

  @Test
  void rejectsSettingsThatContradictEachOther() throws IOException {
    savedModel(withPooler(MASKED_LM));
    Files.writeString(source.resolve("model.json"), "{\"doLowerCase\": true}");
    Files.writeString(source.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'model.json' and 'tokenizer_config.json' contradict each other on whether text is"
                + " lower-cased; correct or delete the one that is wrong");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fa-IR", "ar-EG", "tr-TR", "de-DE", "ne-NP"})
  void importsSameBytesInEveryLocale(String locale) throws IOException {
    savedModel(withPooler(MASKED_LM));
    Importer.importTeacher(source, destination);
    Path other = directory.resolve("other");
    Locale own = Locale.getDefault();
    List<int[]> ids = new ArrayList<>();
    try {
      Locale.setDefault(Locale.forLanguageTag(locale));
      Importer.importTeacher(source, other);
      try (Tokenizer tokenizer = Tokenizer.open(other)) {
        ids.add(tokenizer.encode(List.of("THE playing")).get(0).ids());
      }
    } finally {
      Locale.setDefault(own);
    }
    assertThat(ids.get(0)).containsExactly(5, 6, 7);
    assertThat(contents(other)).isEqualTo(contents(destination));
  }

  private static Map<String, String> contents(Path root) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(root)) {
      for (Path file : files.toList()) {
        contents.put(
            file.getFileName().toString(),
            Files.readString(file, StandardCharsets.ISO_8859_1)); // keeps every byte
      }
    }
    return contents;
  }
}
