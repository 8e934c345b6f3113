package io.stillhouse.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.spec.Architecture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Compares ids with those of transformers, for every set of files that it ever saved. */
class TokenizerGoldenTest {
  private static final JsonObject GOLDEN = read(Path.of("src/test/golden/tokenizers-v1.json"));

  @TempDir Path directory;

  /** A set of files, and the ids of each sentence. */
  record Case(String name, JsonObject files, JsonArray ids) {
    @Override
    public String toString() {
      return name;
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesIdsOfTransformers(Case golden) throws IOException {
    write(golden);

    assertThat(ids(directory)).isEqualTo(expected(golden));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesSameIdsAfterWriting(Case golden) throws IOException {
    write(golden);
    Path written = Files.createDirectory(directory.resolve("written"));
    TokenizerOutput.write(TokenizerDefinition.read(directory), Architecture.BERT, written);

    assertThat(ids(written)).isEqualTo(expected(golden));
    assertThat(TokenizerDefinition.read(written).notes()).isEmpty();
  }

  static Stream<Case> cases() {
    return GOLDEN.getAsJsonArray("cases").asList().stream()
        .map(JsonElement::getAsJsonObject)
        .map(
            json ->
                new Case(
                    json.get("name").getAsString(),
                    json.getAsJsonObject("files"),
                    json.getAsJsonArray("ids")));
  }

  private void write(Case golden) throws IOException {
    for (String name : golden.files().keySet()) {
      Files.writeString(directory.resolve(name), golden.files().get(name).getAsString());
    }
  }

  private static List<String> expected(Case golden) {
    return golden.ids().asList().stream().map(JsonElement::toString).toList();
  }

  /** Returns the ids of each sentence as JSON, with [CLS] and [SEP]. */
  private static List<String> ids(Path directory) throws IOException {
    List<String> sentences =
        GOLDEN.getAsJsonArray("sentences").asList().stream().map(JsonElement::getAsString).toList();
    List<String> ids = new ArrayList<>();
    try (Tokenizer tokenizer = Tokenizer.open(directory)) {
      for (Encoded encoded : tokenizer.encode(sentences)) {
        JsonArray line = new JsonArray();
        line.add(tokenizer.clsId());
        IntStream.of(encoded.ids()).forEach(line::add);
        line.add(tokenizer.sepId());
        ids.add(line.toString());
      }
    }
    return ids;
  }

  private static JsonObject read(Path file) {
    try {
      return JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
