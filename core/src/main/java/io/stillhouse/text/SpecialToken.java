package io.stillhouse.text;

import java.util.List;
import java.util.Map;

/** The keys of {@code tokenizer_config.json} that name special tokens. */
final class SpecialToken {
  static final String BOS = "bos_token";
  static final String EOS = "eos_token";
  static final String UNK = "unk_token";
  static final String SEP = "sep_token";
  static final String PAD = "pad_token";
  static final String CLS = "cls_token";
  static final String MASK = "mask_token";

  /** All of them, in the order in which transformers adds them to a vocabulary. */
  static final List<String> ALL = List.of(BOS, EOS, UNK, SEP, PAD, CLS, MASK);

  /** Those that every tokenizer must have. */
  static final List<String> REQUIRED = List.of(PAD, UNK, CLS, SEP, MASK);

  static final Map<String, String> BERT =
      Map.of(
          PAD,
          Tokenizer.PAD,
          UNK,
          Tokenizer.UNK,
          CLS,
          Tokenizer.CLS,
          SEP,
          Tokenizer.SEP,
          MASK,
          Tokenizer.MASK);

  static final Map<String, String> ALBERT =
      Map.of(
          BOS,
          Tokenizer.CLS,
          EOS,
          Tokenizer.SEP,
          UNK,
          "<unk>",
          SEP,
          Tokenizer.SEP,
          PAD,
          "<pad>",
          CLS,
          Tokenizer.CLS,
          MASK,
          Tokenizer.MASK);

  private SpecialToken() {}
}
