package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The tokenizer of a Hugging Face directory. Thread-safe until it is closed. */
public final class Tokenizer implements AutoCloseable {
  public static final String PAD = "[PAD]";
  public static final String UNK = "[UNK]";
  public static final String CLS = "[CLS]";
  public static final String SEP = "[SEP]";
  public static final String MASK = "[MASK]";

  static final List<String> SPECIALS = List.of(PAD, UNK, CLS, SEP, MASK);
  private static final Logger LOG = LoggerFactory.getLogger(Tokenizer.class);

  /** The notes that were logged: a tokenizer is opened several times, from several copies. */
  private static final Set<String> NOTED = ConcurrentHashMap.newKeySet();

  private static final String REPLACEMENT = "\uFFFD";

  /** Disables truncation, padding and special tokens. */
  private static final Map<String, String> BARE =
      Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");

  private final HuggingFaceTokenizer tokenizer;
  private final String[] tokens;
  private final TokenizerDefinition definition;

  private Tokenizer(HuggingFaceTokenizer tokenizer, TokenizerDefinition definition) {
    this.tokenizer = tokenizer;
    this.tokens = definition.tokens();
    this.definition = definition;
  }

  /**
   * Opens the tokenizer of a directory: see {@link TokenizerDefinition}.
   *
   * @param directory a Hugging Face directory
   * @return a tokenizer that the caller closes
   * @throws io.stillhouse.error.StillhouseException as {@link TokenizerDefinition#read}, or if the
   *     tokenizer does not put its tokens between [CLS] and [SEP]
   */
  public static Tokenizer open(Path directory) throws IOException {
    TokenizerDefinition definition = TokenizerDefinition.read(directory);
    byte[] bytes = definition.nativeJson().getBytes(StandardCharsets.UTF_8);
    HuggingFaceTokenizer library;
    try {
      library = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(bytes), BARE);
    } catch (RuntimeException e) {
      throw unreadable(definition, e);
    }
    Tokenizer tokenizer = checked(library, definition);
    definition.notes().stream().filter(NOTED::add).forEach(LOG::info);
    return tokenizer;
  }

  /** Checks the library's tokenizer, and closes it if it fails. */
  static Tokenizer checked(HuggingFaceTokenizer library, TokenizerDefinition definition) {
    try {
      Tokenizer tokenizer = new Tokenizer(library, definition);
      tokenizer.requireClsAndSep(definition.file());
      return tokenizer;
    } catch (StillhouseException e) {
      library.close();
      throw e;
    } catch (RuntimeException e) {
      library.close();
      throw unreadable(definition, e);
    }
  }

  /** Translates an error of the native library, which throws plain RuntimeExceptions. */
  private static StillhouseException unreadable(
      TokenizerDefinition definition, RuntimeException error) {
    return Errors.invalid(
        format(
            "cannot read the tokenizer '%s': %s",
            definition.file(), Errors.shortened(String.valueOf(error.getMessage()))),
        "save it again with a current version of Hugging Face's tokenizers",
        error);
  }

  /** Returns the highest id plus one, including added tokens. */
  public int vocabSize() {
    return tokens.length;
  }

  /** Returns the id of the token that has the role of {@link #CLS}. */
  public int clsId() {
    return definition.id(SpecialToken.CLS);
  }

  /** Returns the id of the token that has the role of {@link #SEP}. */
  public int sepId() {
    return definition.id(SpecialToken.SEP);
  }

  /** Returns the id of the token that has the role of {@link #MASK}. */
  public int maskId() {
    return definition.id(SpecialToken.MASK);
  }

  /** Returns the id of the token that has the role of {@link #PAD}. */
  public int padId() {
    return definition.id(SpecialToken.PAD);
  }

  /** Returns the id of the token that has the role of {@link #UNK}. */
  public int unkId() {
    return definition.id(SpecialToken.UNK);
  }

  /**
   * Splits texts into tokens, without special tokens, truncation or padding. A special token
   * written in a text, such as {@code [MASK]}, becomes that token.
   */
  public List<Encoded> encode(List<String> texts) {
    if (texts.isEmpty()) {
      return List.of();
    }
    String[] inputs = new String[texts.size()];
    for (int i = 0; i < inputs.length; i++) {
      inputs[i] = withoutLoneSurrogates(texts.get(i));
    }
    Encoding[] encodings = tokenizer.batchEncode(inputs, false, false);
    List<Encoded> encoded = new ArrayList<>(inputs.length);
    for (int i = 0; i < inputs.length; i++) {
      encoded.add(encoded(inputs[i], encodings[i]));
    }
    return encoded;
  }

  /** Returns the token of an id as written in the vocabulary, such as {@code ##ing}. */
  public String token(int id) {
    if (id < 0 || id >= tokens.length) {
      throw new IllegalArgumentException(
          format("no token has id %d: ids are 0..%d", id, tokens.length - 1));
    }
    return tokens[id];
  }

  /** Joins tokens into text, including special tokens. The original case and spacing are lost. */
  String decode(int[] ids) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      wide[i] = ids[i];
    }
    return tokenizer.decode(wide, false);
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  /** Pairs are built here, so a tokenizer that adds other tokens would give other ids. */
  private void requireClsAndSep(Path file) {
    Encoding pair = tokenizer.encode("", "", true, false);
    long[] expected = {clsId(), sepId(), sepId()};
    if (!Arrays.equals(pair.getIds(), expected)
        || !Arrays.equals(pair.getTypeIds(), new long[] {0, 0, 1})) {
      throw Errors.invalid(
          format(
              "'%s' encodes two empty texts as %s with segments %s, but a BERT tokenizer gives"
                  + " [CLS] [SEP] [SEP], %s, with segments [0, 0, 1]",
              file,
              Errors.shortened(Arrays.toString(pair.getIds())),
              Errors.shortened(Arrays.toString(pair.getTypeIds())),
              Arrays.toString(expected)),
          "use a tokenizer whose post_processor adds them");
    }
  }

  /** Converts the library's offsets, which count code points, into char indices. */
  private static Encoded encoded(String text, Encoding encoding) {
    long[] wide = encoding.getIds();
    long[] wordIds = encoding.getWordIds();
    CharSpan[] spans = encoding.getCharTokenSpans();
    int[] ids = new int[wide.length];
    int[] starts = new int[wide.length];
    int[] ends = new int[wide.length];
    int[] words = new int[wide.length];
    boolean plain = text.codePointCount(0, text.length()) == text.length();
    int point = 0;
    int at = 0;
    for (int i = 0; i < wide.length; i++) {
      ids[i] = (int) wide[i];
      words[i] = (int) wordIds[i];
      int start = spans[i].getStart();
      int end = spans[i].getEnd();
      if (plain) {
        starts[i] = start;
        ends[i] = end;
        continue;
      }
      // Tokens are in order, so one pass over the text suffices. It steps back where tokens share a
      // character.
      at = text.offsetByCodePoints(at, start - point);
      point = start;
      starts[i] = at;
      ends[i] = text.offsetByCodePoints(at, end - start);
    }
    return new Encoded(ids, starts, ends, words);
  }

  /**
   * Replaces unpaired surrogates with U+FFFD, which is also one char. The library cannot represent
   * them and would turn them into several characters.
   */
  private static String withoutLoneSurrogates(String text) {
    return StandardCharsets.UTF_16LE.newEncoder().canEncode(text)
        ? text
        : text.codePoints()
            .collect(
                StringBuilder::new,
                (out, c) -> {
                  if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                    out.append(REPLACEMENT);
                  } else {
                    out.appendCodePoint(c);
                  }
                },
                StringBuilder::append)
            .toString();
  }
}
