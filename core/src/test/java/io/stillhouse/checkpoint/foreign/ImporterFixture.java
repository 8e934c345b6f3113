package io.stillhouse.checkpoint.foreign;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.checkpoint.BertTokenizerFiles;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Base of tests that import small models. */
abstract class ImporterFixture {
  static final EncoderSpec MASKED_LM = TinyModel.spec(64, 1, Head.MASKED_LM);
  static final EncoderSpec ENCODER = TinyModel.spec(4, 2, Head.NONE);

  @TempDir Path directory;
  Path source;
  Path destination;

  @BeforeEach
  void name() throws IOException {
    source = Files.createDirectory(directory.resolve("source"));
    destination = directory.resolve("out").resolve("teacher");
  }

  static Map<String, LazyTensor> withPooler(EncoderSpec spec) {
    Map<String, LazyTensor> weights = TinyModel.weights(spec);
    int width = spec.hiddenSize();
    weights.put("bert.pooler.dense.weight", TinyModel.tensor("pooler", width, width));
    weights.put("bert.pooler.dense.bias", TinyModel.tensor("pooler", width));
    return weights;
  }

  /** Writes weights under Google's names, kernels [in, out]. */
  void savedModel(Map<String, LazyTensor> weights) throws IOException {
    Map<String, LazyTensor> variables = new LinkedHashMap<>();
    weights.forEach(
        (name, tensor) -> {
          boolean kernel = name.endsWith(".weight") && !name.contains("LayerNorm");
          String google =
              name.replace("LayerNorm.weight", "LayerNorm.gamma")
                  .replace("LayerNorm.bias", "LayerNorm.beta")
                  .replace("_embeddings.weight", "_embeddings")
                  .replace("cls.predictions.bias", "cls.predictions.output_bias")
                  .replaceAll("layer\\.(\\d)", "layer_$1")
                  .replaceAll("\\.weight$", ".kernel")
                  .replace('.', '/');
          if (name.startsWith("classifier.")) {
            variables.put(
                name.replace("classifier.weight", "output_weights")
                    .replace("classifier.bias", "output_bias"),
                tensor);
            return;
          }
          variables.put(
              "module/" + google,
              kernel && google.endsWith("kernel") ? tensor.transposed() : tensor);
        });
    variables.put("global_step", TinyModel.tensor("step"));
    variables.put("module/bert/embeddings/word_embeddings/adam_m", TinyModel.tensor("adam", 9, 64));
    Files.createDirectories(source.resolve("variables"));
    BundleWriter.write(source.resolve("variables").resolve("variables"), variables);
    Files.createDirectories(source.resolve("assets"));
    Files.write(source.resolve("assets").resolve("vocab.txt"), TinyModel.VOCAB);
  }

  void tokenizerJson(Path file) throws IOException {
    Path vocabulary = directory.resolve("words.txt");
    Files.write(vocabulary, TinyModel.VOCAB);
    BertTokenizerFiles.fromVocab(vocabulary, null, directory.resolve("tokenizer"));
    Files.move(directory.resolve("tokenizer/tokenizer.json"), file);
  }

  void assertWeights(Map<String, LazyTensor> weights, String stripped) throws IOException {
    SafeTensors read = SafeTensors.open(destination.resolve("model.safetensors"));
    assertThat(read.names()).hasSameSizeAs(weights.keySet());
    for (Map.Entry<String, LazyTensor> weight : weights.entrySet()) {
      String name = weight.getKey().substring(stripped.length());
      assertThat(read.shape(name)).isEqualTo(weight.getValue().shape());
      assertThat(TinyModel.floats(read, name))
          .as(name)
          .containsExactly(TinyModel.floats(weight.getValue()));
    }
  }

  void assertLeftNothingElse() throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("out"))) {
      assertThat(files.filter(f -> !f.equals(destination))).isEmpty();
    }
  }

  static void zip(Path archive, Path root, String prefix) throws IOException {
    try (OutputStream file = Files.newOutputStream(archive);
        ZipOutputStream out = new ZipOutputStream(file);
        Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.filter(Files::isRegularFile).sorted().toList()) {
        out.putNextEntry(new ZipEntry(prefix + root.relativize(path)));
        Files.copy(path, out);
      }
    }
  }
}
