package io.stillhouse.text;

import java.util.Collection;
import java.util.Optional;

/** Whether a tokenizer keeps upper case and accents. */
enum Casing {
  /** Upper case and accents are kept. */
  CASED,
  /** Text is lower-cased, and accents are stripped. */
  UNCASED;

  /**
   * Returns the first capitalized word of a vocabulary, such as {@code The}, which only a cased
   * vocabulary contains. Single letters do not count, because uncased vocabularies contain symbols
   * such as {@code ℝ}, which have no lower case.
   */
  static Optional<String> capitalized(Collection<String> vocabulary) {
    return vocabulary.stream().filter(Casing::isCapitalized).findFirst();
  }

  /**
   * Returns whether a token is letters only: one in upper case, then at least one in lower case.
   */
  private static boolean isCapitalized(String token) {
    if (token.isEmpty()) {
      return false;
    }
    int first = token.codePointAt(0);
    if (Character.toLowerCase(first) == first) {
      return false;
    }
    String rest = token.substring(Character.charCount(first));
    return rest.codePoints().anyMatch(Character::isLowerCase)
        && rest.codePoints().allMatch(Casing::isLetterOrMark);
  }

  private static boolean isLetterOrMark(int codePoint) {
    return Character.isLetter(codePoint)
        || Character.getType(codePoint) == Character.NON_SPACING_MARK;
  }
}
