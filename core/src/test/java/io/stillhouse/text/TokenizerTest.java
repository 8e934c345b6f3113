package io.stillhouse.text;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.stillhouse.error.StillhouseException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
  private static final List<String> VOCAB =
      List.of(
          "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "play", "##ing", "cafe", "中", "文",
          ".", "ok");

  @TempDir Path directory;

  @Test
  void splitsIntoWordPiecesWithoutSpecialTokens() throws IOException {
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      Encoded encoded = tokenizer.encode(List.of("The playing.")).get(0);

      assertThat(spelt(tokenizer, encoded)).containsExactly("the", "play", "##ing", ".");
      assertThat(encoded.words()).containsExactly(0, 1, 1, 2);
      assertThat(encoded.starts()).containsExactly(0, 4, 8, 11);
      assertThat(encoded.ends()).containsExactly(3, 8, 11, 12);
    }
  }

  @Test
  void offsetsCountJavaCharsAfterEmojiAccentsAndChinese() throws IOException {
    String text = "😀 café 中文 😀😀playing e\u0301 ok";
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      Encoded encoded = tokenizer.encode(List.of(text)).get(0);

      assertThat(spelt(tokenizer, encoded))
          .containsExactly("[UNK]", "cafe", "中", "文", "[UNK]", "[UNK]", "ok");
      // A combining accent is stripped before the split, so it is outside its letter's token.
      assertThat(pieces(text, encoded))
          .containsExactly("😀", "café", "中", "文", "😀😀playing", "e", "ok");
    }
  }

  @Test
  void keepsOffsetsAfterUnpairedSurrogate() throws IOException {
    String text = "\uD83D ok";
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      Encoded encoded = tokenizer.encode(List.of(text)).get(0);

      assertThat(pieces(text, encoded)).endsWith("ok");
    }
  }

  @Test
  void encodesUnknownWordAsUnk() throws IOException {
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      assertThat(tokenizer.encode(List.of("zebra", "p".repeat(101))))
          .allSatisfy(encoded -> assertThat(encoded.ids()).containsExactly(tokenizer.unkId()));
    }
  }

  @Test
  void neitherTruncatesNorPads() throws IOException {
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      List<Encoded> encoded = tokenizer.encode(List.of("ok ".repeat(3000), "", "ok"));

      assertThat(encoded).extracting(e -> e.ids().length).containsExactly(3000, 0, 1);
      assertThat(tokenizer.encode(List.of())).isEmpty();
    }
  }

  @Test
  void readsSpecialTokensWrittenInText() throws IOException {
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      Encoded encoded = tokenizer.encode(List.of("the [MASK] ok")).get(0);

      assertThat(encoded.ids()).containsExactly(5, tokenizer.maskId(), 12);
      assertThat(encoded.words()).containsExactly(0, 1, 2);
    }
  }

  @Test
  void returnsTokensOfIdsAndJoinsThem() throws IOException {
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      assertThat(tokenizer.vocabSize()).isEqualTo(13);
      assertThat(tokenizer.padId()).isZero();
      assertThat(tokenizer.unkId()).isEqualTo(1);
      assertThat(tokenizer.clsId()).isEqualTo(2);
      assertThat(tokenizer.sepId()).isEqualTo(3);
      assertThat(tokenizer.maskId()).isEqualTo(4);
      assertThat(tokenizer.token(7)).isEqualTo("##ing");
      assertThat(tokenizer.decode(new int[] {2, 5, 6, 7, 3})).isEqualTo("[CLS] the playing [SEP]");
      assertThatThrownBy(() -> tokenizer.token(13))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("no token has id 13: ids are 0..12");
    }
  }

  @Test
  void infersCasedVocabularyFromCapitalizedWord() throws IOException {
    List<String> cased = new ArrayList<>(VOCAB);
    cased.add("The");
    try (Tokenizer tokenizer = fromVocab(cased)) {
      assertThat(tokenizer.encode(List.of("The the")).get(0).ids()).containsExactly(13, 5);
    }
  }

  @Test
  void prefersCasingOfTokenizerConfig() throws IOException {
    Files.writeString(directory.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      assertThat(tokenizer.encode(List.of("The the")).get(0).ids()).containsExactly(1, 5);
    }
  }

  @Test
  void encodesSameFromManyThreads() throws IOException {
    List<String> texts = Collections.nCopies(20, "The playing 😀 ok.");
    try (Tokenizer tokenizer = fromVocab(VOCAB)) {
      List<Integer> first = ids(tokenizer.encode(texts).get(0));

      assertThat(IntStream.range(0, 200).parallel().mapToObj(i -> tokenizer.encode(texts)).toList())
          .allSatisfy(batch -> assertThat(ids(batch.get(19))).isEqualTo(first));
    }
  }

  @Test
  void reportsAllMissingSpecialTokens() {
    assertThatThrownBy(() -> fromVocab(List.of("[PAD]", "[UNK]", "[CLS]", "a")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' lacks the special tokens [SEP], [MASK]; use the tokenizer of a BERT model,"
                    + " which has [PAD], [UNK], [CLS], [SEP], [MASK]",
                directory.resolve("vocab.txt")));
  }

  @Test
  void rejectsDirectoryWithoutTokenizer() {
    assertThatThrownBy(() -> Tokenizer.open(directory))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' has neither tokenizer.json nor vocab.txt; copy the model's tokenizer next to"
                    + " its weights",
                directory));
  }

  @Test
  void closesLibraryThatFailsCheck() throws IOException {
    Files.write(directory.resolve("vocab.txt"), VOCAB);
    HuggingFaceTokenizer library = library();
    List<String> reversed = new ArrayList<>(VOCAB);
    Collections.reverse(reversed);
    Files.write(directory.resolve("vocab.txt"), reversed);
    TokenizerDefinition other = TokenizerDefinition.read(directory);

    assertThatThrownBy(() -> Tokenizer.checked(library, other))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("encodes two empty texts as [2, 3, 3]");
    assertThat(library.isReleased()).isTrue();
  }

  @Test
  void translatesErrorsOfLibraryInCheck() throws IOException {
    Files.write(directory.resolve("vocab.txt"), VOCAB);
    TokenizerDefinition definition = TokenizerDefinition.read(directory);
    HuggingFaceTokenizer library = library();
    library.close();

    assertThatThrownBy(() -> Tokenizer.checked(library, definition))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            format("cannot read the tokenizer '%s': ", directory.resolve("vocab.txt")));
  }

  private HuggingFaceTokenizer library() throws IOException {
    String json = TokenizerDefinition.read(directory).nativeJson();
    return HuggingFaceTokenizer.newInstance(
        new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), Map.of());
  }

  private Tokenizer fromVocab(List<String> vocab) throws IOException {
    Files.write(directory.resolve("vocab.txt"), vocab);
    return Tokenizer.open(directory);
  }

  private static List<Integer> ids(Encoded encoded) {
    return IntStream.of(encoded.ids()).boxed().toList();
  }

  private static List<String> spelt(Tokenizer tokenizer, Encoded encoded) {
    return IntStream.of(encoded.ids()).mapToObj(tokenizer::token).toList();
  }

  private static List<String> pieces(String text, Encoded encoded) {
    return IntStream.range(0, encoded.ids().length)
        .mapToObj(i -> text.substring(encoded.starts()[i], encoded.ends()[i]))
        .toList();
  }
}
