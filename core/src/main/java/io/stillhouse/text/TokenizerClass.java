package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.util.Map;
import java.util.Set;

/** How transformers 5 builds a tokenizer from the files of a directory. */
enum TokenizerClass {
  /** BertTokenizer: a WordPiece vocabulary; everything else comes from tokenizer_config.json. */
  BERT,
  /** AlbertTokenizer: a Unigram vocabulary; the rest comes from tokenizer_config.json. */
  ALBERT,
  /** PreTrainedTokenizerFast: tokenizer.json as it is. */
  WHOLE;

  private static final String FAST = "Fast";
  private static final Set<String> BERTS =
      Set.of(
          "BertTokenizer",
          "DistilBertTokenizer",
          "ElectraTokenizer",
          "LayoutLMTokenizer",
          "LxmertTokenizer",
          "MobileBertTokenizer",
          "SqueezeBertTokenizer");
  private static final Set<String> BASES = Set.of("PreTrainedTokenizer", "TokenizersBackend");
  private static final String WORDS = "word_tokenizer_type";
  private static final String ALBERT_CLASS = "AlbertTokenizer";

  static TokenizerClass of(TokenizerSource source) {
    String named = source.tokenizerClass();
    String slow = named.endsWith(FAST) ? named.substring(0, named.length() - FAST.length()) : named;
    TokenizerClass found;
    if (slow.isEmpty()) {
      boolean pieces =
          source.tokenizer() == null
              ? source.vocabulary() == null && source.hasSentencePiece()
              : source.modelOfTokenizer().equals("Unigram");
      found = source.modelType().equals("albert") && pieces ? ALBERT : BERT;
    } else if (BERTS.contains(slow)) {
      found = BERT;
    } else if (slow.equals(ALBERT_CLASS)) {
      found = ALBERT;
    } else if (BASES.contains(slow)) {
      found = WHOLE;
    } else {
      throw unsupported(source, named);
    }
    found.requireFiles(source);
    return found;
  }

  /** Returns the special tokens that the class has by default, by their keys. */
  Map<String, String> specialTokens() {
    return switch (this) {
      case BERT -> SpecialToken.BERT;
      case ALBERT -> SpecialToken.ALBERT;
      case WHOLE -> Map.of();
    };
  }

  private void requireFiles(TokenizerSource source) {
    if (source.tokenizer() == null) {
      if (this == BERT && source.vocabulary() != null) {
        return;
      }
      throw this == ALBERT || source.hasSentencePiece()
          ? Errors.invalid(
              format(
                  "'%s' has a SentencePiece tokenizer without a tokenizer.json",
                  source.directory()),
              "write one: AutoTokenizer.from_pretrained(directory).save_pretrained(directory)")
          : this == WHOLE
              ? Errors.invalid(
                  format(
                      "'%s' has no tokenizer.json, but tokenizer_class is %s",
                      source.directory(), source.tokenizerClass()),
                  "copy the model's tokenizer.json, or set tokenizer_class to BertTokenizer")
              : Errors.invalid(
                  format("'%s' has neither tokenizer.json nor vocab.txt", source.directory()),
                  "copy the model's tokenizer next to its weights");
    }
    String model = source.modelOfTokenizer();
    boolean fits =
        switch (this) {
          case BERT -> model.equals("WordPiece");
          case ALBERT -> model.equals("Unigram");
          case WHOLE -> model.equals("WordPiece") || model.equals("Unigram");
        };
    if (!fits) {
      String named = source.tokenizerClass();
      throw Errors.invalid(
          format(
              "'%s' has a %s tokenizer, but %s",
              source.file(TokenizerSource.TOKENIZER),
              Errors.shortened(model),
              this == WHOLE
                  ? "only WordPiece and Unigram are supported"
                  : format(
                      "%s needs %s",
                      named.isEmpty() ? "BertTokenizer, the default," : named,
                      this == BERT ? "WordPiece" : "Unigram")),
          "use the tokenizer that belongs to the weights");
    }
  }

  private static StillhouseException unsupported(TokenizerSource source, String named) {
    JsonElement words = source.setting(WORDS);
    String how =
        words == null || !words.isJsonPrimitive()
            ? ""
            : format(" (%s %s)", WORDS, Errors.shortened(words.getAsString()));
    return Errors.invalid(
        format(
            "the tokenizer of '%s' is a %s%s, whose rules Stillhouse does not implement",
            source.directory(), Errors.shortened(named), how),
        "use a model with a BertTokenizer, DistilBertTokenizer or AlbertTokenizer, or with a"
            + " complete tokenizer.json and tokenizer_class PreTrainedTokenizerFast");
  }
}
