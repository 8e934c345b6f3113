package io.stillhouse.checkpoint;

import static io.stillhouse.error.Text.format;

import io.stillhouse.Fuzz;
import io.stillhouse.Golden;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Gives damaged files to the readers of Hugging Face directories. */
class CheckpointFuzzTest {
  private static final Head CLASSES = new Head(Task.CLASSIFICATION, List.of("no", "yes"));

  /** A small tokenizer.json of AlbertTokenizer. */
  private static final String ALBERT =
      """
      {"version": "1.0", "truncation": null, "padding": null,
       "added_tokens": [
        {"id": 2, "content": "[CLS]", "special": true},
        {"id": 3, "content": "[SEP]", "special": true},
        {"id": 4, "content": "[MASK]", "lstrip": true, "normalized": false, "special": true}],
       "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]},
       "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
       "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
         {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
         {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
         {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
         "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
       "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"},
       "model": {"type": "Unigram", "unk_id": 1, "byte_fallback": false,
        "vocab": [["<pad>", 0.0], ["<unk>", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0], ["[MASK]", 0.0],
         ["\u2581the", -2.5], ["\u2581play", -3.0], ["ing", -3.5], ["\u2581ok", -4.0]]}}
      """;

  @TempDir Path directory;

  @Test
  void safeTensors() throws IOException {
    Path file = directory.resolve("model.safetensors");
    TinyModel.write(directory, TinyModel.spec(4, 2, CLASSES));

    Fuzz.bytes(
            "safetensors",
            List.of(
                Files.readAllBytes(file),
                Files.readAllBytes(Golden.DIRECTORY.resolve("pickles-v1/values.safetensors"))))
        .run(Fuzz.file(file, input -> readAll(SafeTensors.open(file))));
  }

  @Test
  void pickles() throws IOException {
    Path file = directory.resolve("pytorch_model.bin");
    List<byte[]> seeds = new ArrayList<>();
    for (String name : List.of("zip.bin", "legacy.bin", "metadata.bin")) {
      seeds.add(Files.readAllBytes(Golden.DIRECTORY.resolve("pickles-v1").resolve(name)));
    }

    Fuzz.bytes("pickle", seeds).run(Fuzz.file(file, input -> readAll(TensorFile.open(file))));
  }

  @Test
  void indexOfShards() throws IOException {
    TinyModel.write(directory, TinyModel.spec(4, 2, CLASSES));
    Files.move(directory.resolve("model.safetensors"), directory.resolve("a.safetensors"));
    Path file = directory.resolve("model.safetensors.index.json");
    byte[] seed =
        "{\"metadata\": {\"total_size\": 7}, \"weight_map\": {\"a\": \"a.safetensors\"}}"
            .getBytes();

    Fuzz.json("index of shards", List.of(seed))
        .run(Fuzz.file(file, input -> HuggingFaceDirectory.open(directory)));
  }

  @Test
  void configs() throws IOException {
    Path file = directory.resolve("config.json");
    List<byte[]> seeds = new ArrayList<>();
    for (Architecture architecture : Architecture.values()) {
      for (Head head : List.of(Head.MASKED_LM, CLASSES)) {
        EncoderSpec spec = TinyModel.spec(architecture, head);
        TinyModel.write(directory, spec);
        seeds.add(Files.readAllBytes(file));
      }
    }
    seeds.add(Files.readAllBytes(Golden.DIRECTORY.resolve("bilstm-tiny-pair-v1/config.json")));

    Fuzz.json("config.json", seeds)
        .run(
            Fuzz.file(
                file,
                input -> {
                  HuggingFaceConfig.read(file).spec().parameters();
                  ModelDirectory.open(directory);
                }));
  }

  @ParameterizedTest
  @ValueSource(strings = {"BertTokenizer", "PreTrainedTokenizerFast"})
  void tokenizers(String tokenizerClass) throws IOException {
    TinyModel.write(directory, TinyModel.spec(4, 2, CLASSES));
    Path written = directory.resolve("written");
    HuggingFaceDirectory.open(directory).copyTo(written);
    byte[] json = Files.readAllBytes(written.resolve("tokenizer.json"));
    settings(tokenizerClass, "[UNK]", "[PAD]");

    fuzzTokenizer(json);
  }

  @Test
  void albertTokenizers() throws IOException {
    TinyModel.write(directory, TinyModel.spec(4, 2, CLASSES));
    settings("AlbertTokenizer", "<unk>", "<pad>");

    fuzzTokenizer(ALBERT.getBytes(StandardCharsets.UTF_8));
  }

  private void settings(String tokenizerClass, String unknown, String pad) throws IOException {
    Files.writeString(
        directory.resolve("tokenizer_config.json"),
        format(
            """
            {"tokenizer_class": "%s", "unk_token": "%s", "sep_token": "[SEP]", "pad_token": "%s",
             "cls_token": "[CLS]", "mask_token": "[MASK]"}
            """,
            tokenizerClass, unknown, pad));
  }

  private void fuzzTokenizer(byte[] json) {
    Path file = directory.resolve("tokenizer.json");

    Fuzz.json("tokenizer.json", List.of(json))
        .run(
            Fuzz.file(
                file,
                input -> {
                  HuggingFaceDirectory.requireVocabulary(directory, TinyModel.spec(4, 2, CLASSES));
                  try (Tokenizer tokenizer = Tokenizer.open(directory)) {
                    tokenizer.encode(List.of("The playing, ok", ""));
                  }
                }));
  }

  private static void readAll(TensorFile file) throws IOException {
    for (String name : file.names()) {
      if (!Set.of("int64", "num_batches_tracked").contains(name)) { // not weights
        file.float32(name);
      }
    }
  }
}
