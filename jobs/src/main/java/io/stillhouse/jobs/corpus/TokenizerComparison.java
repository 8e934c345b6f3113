package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.text.Encoded;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Compares the tokenizers of two models. */
public final class TokenizerComparison {
  /** Contains upper case, accents, a script without spaces, punctuation and control characters. */
  private static final String PROBE =
      "Ünïted NATIONS, e\u0301te\u0301 \u4e2d\u6587!\u0007 3.14 it's x\u00a0y";

  private TokenizerComparison() {}

  /**
   * Returns a difference between the tokens of two models, or empty if there is none.
   *
   * @param first a Hugging Face directory
   * @param other another Hugging Face directory
   * @param texts texts to compare, in addition to a built-in one
   */
  public static Optional<String> difference(Path first, Path other, List<String> texts)
      throws IOException {
    try (Tokenizer one = Tokenizer.open(first);
        Tokenizer two = Tokenizer.open(other)) {
      if (one.vocabSize() != two.vocabSize()) {
        return Optional.of(format("it has %,d tokens, not %,d", two.vocabSize(), one.vocabSize()));
      }
      for (int id = 0; id < one.vocabSize(); id++) {
        if (!one.token(id).equals(two.token(id))) {
          return Optional.of(
              format("its token %d is '%s', not '%s'", id, two.token(id), one.token(id)));
        }
      }
      List<String> all = new ArrayList<>(List.of(PROBE));
      all.addAll(texts);
      List<Encoded> ours = one.encode(all);
      List<Encoded> others = two.encode(all);
      for (int text = 0; text < all.size(); text++) {
        if (!Arrays.equals(ours.get(text).ids(), others.get(text).ids())) {
          return Optional.of(
              format(
                  "it tokenizes '%s' as %s, not %s",
                  all.get(text),
                  Arrays.toString(others.get(text).ids()),
                  Arrays.toString(ours.get(text).ids())));
        }
      }
      return Optional.empty();
    }
  }
}
