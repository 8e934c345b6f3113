package io.stillhouse.error;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/**
 * The values of environment variables that a recipe uses and whose names say that they are secret.
 * Messages and results show the name of the variable instead.
 */
public final class Secrets {
  /**
   * Names with a word that means a secret. Words are separated by characters other than letters and
   * digits, so {@code MAX_TOKENS} and {@code TOKENIZER_DIR} are no secrets. Words that end in one
   * that has no other meaning, such as {@code PGPASSWORD}, are.
   */
  private static final Pattern NAME =
      Pattern.compile(
          "(?<![A-Z0-9])"
              + "(?:[A-Z0-9]*(?:PASSWORD|PASSWD|SECRET|CREDENTIAL)S?"
              + "|(?:API|ACCESS|AUTH)?(?:TOKEN|KEY)|PASS)"
              + "(?![A-Z0-9])",
          Pattern.CASE_INSENSITIVE);

  /**
   * The fewest characters of a value that is replaced in texts: a shorter one is part of other
   * words and numbers.
   */
  private static final int MIN_LENGTH = 8;

  /** The names of variables, by value. */
  private static final Map<String, String> KNOWN = new ConcurrentHashMap<>();

  private Secrets() {}

  /** Returns whether the name of an environment variable says that its value is secret. */
  public static boolean isSecret(String variable) {
    return NAME.matcher(variable).find();
  }

  /** Returns what is shown in place of a secret value. */
  public static String shown(String variable) {
    return "${" + variable + "}";
  }

  /**
   * Remembers a value that must not be shown. Values of fewer than 8 characters are not remembered;
   * code that prints the setting prints {@link #shown} instead.
   */
  public static void remember(String variable, String value) {
    if (value.length() >= MIN_LENGTH) {
      KNOWN.put(value, variable);
    }
  }

  /** Returns a text with the names of variables in place of the values that were remembered. */
  public static String hiddenIn(String text) {
    String hidden = text;
    for (Map.Entry<String, String> secret : KNOWN.entrySet()) {
      hidden = hidden.replace(secret.getKey(), shown(secret.getValue()));
    }
    return hidden;
  }
}
