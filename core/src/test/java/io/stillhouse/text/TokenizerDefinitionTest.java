package io.stillhouse.text;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Architecture;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.StringJoiner;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerDefinitionTest {
  private static final List<String> UNCASED =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "ℝ");
  private static final List<String> CASED =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The");

  @TempDir Path directory;

  @BeforeEach
  void writeVocabulary() throws IOException {
    vocabulary(UNCASED);
  }

  @Test
  void notesCasingOfVocabularyAlone() throws IOException {
    assertThat(notes())
        .containsExactly(
            format(
                "'%s' does not say whether text is lower-cased; assumed do_lower_case=true, because"
                    + " the vocabulary has no capitalized word",
                directory));

    vocabulary(CASED);
    assertThat(notes())
        .containsExactly(
            format(
                "'%s' does not say whether text is lower-cased; assumed do_lower_case=false,"
                    + " because the vocabulary has 'The'",
                directory));
  }

  @Test
  void notesCasedVocabularyThatIsLowerCased() throws IOException {
    vocabulary(CASED);
    settings("{\"model_max_length\": 512}");

    assertThat(notes())
        .containsExactly(
            format(
                "'%s' does not set do_lower_case in tokenizer_config.json, so text is lower-cased,"
                    + " as in transformers, although the vocabulary has 'The'",
                directory));
  }

  @Test
  void writesCasingThatItAssumed() throws IOException {
    vocabulary(CASED);
    Path written = Files.createDirectory(directory.resolve("written"));

    TokenizerOutput.write(TokenizerDefinition.read(directory), Architecture.DISTILBERT, written);

    assertThat(written.resolve("tokenizer_config.json"))
        .content()
        .contains("\"do_lower_case\": false", "\"tokenizer_class\": \"DistilBertTokenizer\"");
    assertThat(written.resolve("vocab.txt"))
        .hasSameTextualContentAs(directory.resolve("vocab.txt"));
  }

  @Test
  void notesDifferenceBetweenTwoFiles() throws IOException {
    writeTokenizer(directory);
    settings("{\"do_lower_case\": false}");

    assertThat(notes())
        .singleElement()
        .asString()
        .startsWith(format("the normalizer of '%s'", directory.resolve("tokenizer.json")))
        .contains("\"lowercase\":true", "\"lowercase\":false");
  }

  @Test
  void notesIdThatDiffersFromFiles() throws IOException {
    settings("{\"do_lower_case\": true}");
    Files.writeString(directory.resolve("added_tokens.json"), "{\"<e1>\": 12}");

    assertThat(notes())
        .containsExactly(
            "the added token '<e1>' has the id 7, as in transformers, although a file says 12");
  }

  @Test
  void notesRowsWithoutTokenUnlessTheyArePadding() throws IOException {
    settings("{\"do_lower_case\": true}");
    Files.writeString(directory.resolve("config.json"), "{\"vocab_size\": 8}");
    assertThat(notes()).isEmpty();

    Files.writeString(directory.resolve("config.json"), "{\"vocab_size\": 1007}");
    assertThat(notes())
        .containsExactly(
            "the word embeddings have 1007 rows, but the tokenizer has 7 tokens: the last 1000 rows"
                + " are not used");
  }

  @Test
  void rejectsClassThatItDoesNotComputeByName() throws IOException {
    settings(
        "{\"tokenizer_class\": \"BertJapaneseTokenizer\", \"word_tokenizer_type\": \"mecab\"}");
    refuses()
        .hasMessage(
            format(
                "the tokenizer of '%s' is a BertJapaneseTokenizer (word_tokenizer_type mecab),"
                    + " whose rules Stillhouse does not implement; use a model with a"
                    + " BertTokenizer, DistilBertTokenizer or AlbertTokenizer, or with a complete"
                    + " tokenizer.json and tokenizer_class PreTrainedTokenizerFast",
                directory));

    settings("{}");
    Files.writeString(
        directory.resolve("config.json"), "{\"tokenizer_class\": \"RobertaTokenizerFast\"}");
    refuses().hasMessageContaining("is a RobertaTokenizerFast, whose rules");
  }

  @Test
  void rejectsSentencePieceModelAlone() throws IOException {
    Files.delete(directory.resolve("vocab.txt"));
    Files.writeString(directory.resolve("spiece.model"), "");
    Files.writeString(directory.resolve("config.json"), "{\"model_type\": \"albert\"}");

    refuses()
        .hasMessage(
            format(
                "'%s' has a SentencePiece tokenizer without a tokenizer.json; write one:"
                    + " AutoTokenizer.from_pretrained(directory).save_pretrained(directory)",
                directory));
  }

  @Test
  void rejectsModelThatClassDoesNotRead() throws IOException {
    Files.writeString(
        directory.resolve("tokenizer.json"), "{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}");
    refuses()
        .hasMessage(
            format(
                "'%s' has a BPE tokenizer, but BertTokenizer, the default, needs WordPiece; use the"
                    + " tokenizer that belongs to the weights",
                directory.resolve("tokenizer.json")));

    settings("{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    refuses().hasMessageContaining("has a BPE tokenizer, but only WordPiece and Unigram");
  }

  @ParameterizedTest
  @CsvSource({
    "WordPiece, null, has no model with a vocabulary",
    "Unigram, null, has no model with a vocabulary",
    "Unigram, 7, has no model with a vocabulary",
    "WordPiece, [], 'is a list, but that of a WordPiece model is an object'",
    "Unigram, {}, 'is an object, but that of a Unigram model is a list'"
  })
  void rejectsVocabularyOfWrongType(String model, String vocabulary, String problem)
      throws IOException {
    settings("{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    Files.writeString(
        directory.resolve("tokenizer.json"),
        format("{\"model\": {\"type\": \"%s\", \"vocab\": %s}}", model, vocabulary));

    refuses()
        .hasMessageContaining(
            format("'%s' %s; copy the tokenizer", directory.resolve("tokenizer.json"), problem));
  }

  @Test
  void rejectsEmptySpecialToken() throws IOException {
    settings("{\"added_tokens_decoder\": {\"0\": {\"content\": \"\"}}, \"pad_token\": \"\"}");

    refuses()
        .hasMessageContaining(
            format("'%s' lacks the special token pad_token; use", directory.resolve("vocab.txt")));
  }

  @Test
  void rejectsIdFarAboveNumberOfTokens() throws IOException {
    writeTokenizer(directory);
    Path file = directory.resolve("tokenizer.json");
    String json = Files.readString(file);
    Files.writeString(file, json.replace("\"ℝ\":6", "\"ℝ\":2147483646"));
    refuses()
        .hasMessage(
            format(
                "'%s' gives the token 'ℝ' the id 2147483646, but has only 7 tokens; copy the file"
                    + " that belongs to the weights",
                file));

    Files.writeString(
        file,
        json.replace(
            "\"added_tokens\":[",
            "\"added_tokens\":[{\"id\": 2147483646, \"content\": \"<e1>\"},"));
    refuses().hasMessageContaining("gives the token '<e1>' the id 2147483646");

    Files.writeString(file, json.replace("\"ℝ\":6", "\"ℝ\":-6"));
    refuses().hasMessageContaining("gives the token 'ℝ' the id -6, but an id is a whole number");
  }

  @Test
  void rejectsSettingsOfWrongType() throws IOException {
    settings("{\"do_lower_case\": \"false\"}");
    refuses()
        .hasMessage(
            format(
                "do_lower_case in '%s' must be true or false, but is \"false\"; correct it;"
                    + " transformers does not open this tokenizer either",
                directory.resolve("tokenizer_config.json")));

    settings("{\"mask_token\": {\"content\": \"[MASK]\"}}");
    refuses().hasMessageContaining("mask_token in").hasMessageContaining("must be a token");

    settings("{\"split_special_tokens\": true}");
    refuses().hasMessageContaining("sets split_special_tokens to true");
  }

  @Test
  void rejectsFileThatIsNotUtf8() throws IOException {
    Files.write(directory.resolve("vocab.txt"), new byte[] {'a', (byte) 0xe9, '\n'});

    refuses()
        .hasMessage(format("'%s' is not UTF-8; copy it again", directory.resolve("vocab.txt")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"vocab.txt", "tokenizer.json", "tokenizer_config.json"})
  void rejectsHugeFile(String name) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(directory.resolve(name).toFile(), "rw")) {
      file.setLength((256L << 20) + 1);
    }

    refuses()
        .hasMessage(
            "'%s' has 268,435,457 bytes, but configs and vocabularies may have 268,435,456; copy it"
                + " again",
            directory.resolve(name));
  }

  @Test
  void rejectsTokenizerThatAddsOtherTokens() throws IOException {
    writeTokenizer(directory);
    settings("{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    Path file = directory.resolve("tokenizer.json");
    Files.writeString(
        file,
        Files.readString(file)
            .replaceAll(
                "\"post_processor\":.*,\"decoder\"", "\"post_processor\":null,\"decoder\""));

    assertThatThrownBy(() -> Tokenizer.open(directory))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("encodes two empty texts as []");
  }

  @Test
  @Timeout(20) // with quadratic time, it takes minutes
  void readsManyAddedTokens() throws IOException {
    int count = 200_000;
    StringJoiner added = new StringJoiner(",", "{", "}");
    StringJoiner extra = new StringJoiner(",", "[", "]");
    for (int i = 0; i < count; i++) {
      added.add(format("\"<a%d>\":%d", i, UNCASED.size() + i));
      extra.add(format("\"<e%d>\"", i));
    }
    Files.writeString(directory.resolve("added_tokens.json"), added.toString());
    settings(format("{\"do_lower_case\": true, \"additional_special_tokens\": %s}", extra));

    TokenizerDefinition definition = TokenizerDefinition.read(directory);

    assertThat(definition.vocabSize()).isEqualTo(UNCASED.size() + 2 * count);
    assertThat(definition.tokens()).endsWith("<e199998>", "<e199999>");
  }

  @Test
  void rejectsAlbertTokenizerWithMalformedTemplate() throws IOException {
    settings("{\"tokenizer_class\": \"AlbertTokenizer\"}");
    Files.writeString(
        directory.resolve("tokenizer.json"),
        """
        {"post_processor": {"type": "TemplateProcessing", "single": [],
          "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}], "special_tokens": {}},
         "model": {"type": "Unigram", "unk_id": 1, "vocab": [["<pad>", 0], ["<unk>", 0],
          ["[CLS]", 0], ["[SEP]", 0], ["[MASK]", 0]]}}
        """);

    // The native library would end the process.
    assertThatThrownBy(() -> Tokenizer.open(directory))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("encodes two empty texts as []");
  }

  private void vocabulary(List<String> tokens) throws IOException {
    Files.write(directory.resolve("vocab.txt"), tokens);
  }

  private void settings(String json) throws IOException {
    Files.writeString(directory.resolve("tokenizer_config.json"), json);
  }

  private static void writeTokenizer(Path directory) throws IOException {
    Files.writeString(
        directory.resolve("tokenizer.json"), TokenizerDefinition.read(directory).json());
  }

  private List<String> notes() throws IOException {
    return TokenizerDefinition.read(directory).notes();
  }

  private AbstractThrowableAssert<?, ? extends Throwable> refuses() {
    return assertThatThrownBy(() -> TokenizerDefinition.read(directory))
        .isInstanceOf(StillhouseException.class);
  }
}
