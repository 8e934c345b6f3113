package io.stillhouse.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.Head;
import io.stillhouse.text.TextFile;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BertTokenizerFilesTest {
  private static final List<String> CASED =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The");

  @TempDir Path directory;
  private Path source;
  private Path model;

  @BeforeEach
  void writeVocabulary() throws IOException {
    source = Files.createDirectory(directory.resolve("source"));
    model = Files.createDirectory(directory.resolve("model"));
    Files.write(source.resolve("vocab.txt"), CASED);
  }

  @Test
  void writesCasingThatVocabularyImplies() throws IOException {
    List<String> notes = BertTokenizerFiles.fromVocab(source.resolve("vocab.txt"), null, model);

    assertThat(settings().get("do_lower_case").getAsBoolean()).isFalse();
    assertThat(ids("The the")).containsExactly(6, 5);
    assertThat(notes).singleElement().asString().contains("assumed do_lower_case=false");
  }

  @Test
  void takesCasingOfAnotherFile() throws IOException {
    Path said = source.resolve("model.json");
    Files.writeString(said, "{\"doLowerCase\": true}");

    BertTokenizerFiles.fromVocab(source.resolve("vocab.txt"), said, model);

    assertThat(settings().get("do_lower_case").getAsBoolean()).isTrue();
    assertThat(ids("The the")).containsExactly(5, 5);
  }

  @Test
  void usesTokenizerJsonAloneAsItIs() throws IOException {
    BertTokenizerFiles.fromVocab(source.resolve("vocab.txt"), null, source);
    Path tokenizer = source.resolve("x-tokenizer.json");
    Files.move(source.resolve("tokenizer.json"), tokenizer);
    Files.writeString(source.resolve("tokenizer_config.json"), "{\"do_lower_case\": true}");

    assertThat(BertTokenizerFiles.fromJson(tokenizer, model)).isEmpty();

    assertThat(settings().get("tokenizer_class").getAsString()).isEqualTo("BertTokenizer");
    assertThat(ids("The the")).containsExactly(6, 5);
  }

  @Test
  void usesSettingsNextToTokenizerJson() throws IOException {
    BertTokenizerFiles.fromVocab(source.resolve("vocab.txt"), null, source);
    Files.writeString(source.resolve("tokenizer_config.json"), "{\"do_lower_case\": true}");

    BertTokenizerFiles.fromJson(source.resolve("tokenizer.json"), model);

    assertThat(ids("The the")).containsExactly(5, 5);
  }

  @Test
  void keepsAddedTokensInCopyForAnotherArchitecture() throws IOException {
    Files.writeString(source.resolve("added_tokens.json"), "{\"<e1>\": 7}");

    BertTokenizerFiles.copy(source, TinyModel.spec(Architecture.DISTILBERT, Head.NONE), model);

    assertThat(settings().get("tokenizer_class").getAsString()).isEqualTo("DistilBertTokenizer");
    assertThat(model.resolve("added_tokens.json")).doesNotExist();
    assertThat(ids("The <e1>")).containsExactly(6, 7);
  }

  private JsonObject settings() throws IOException {
    return TextFile.json(model.resolve("tokenizer_config.json"));
  }

  private int[] ids(String text) throws IOException {
    try (Tokenizer tokenizer = Tokenizer.open(model)) {
      return tokenizer.encode(List.of(text)).get(0).ids();
    }
  }
}
