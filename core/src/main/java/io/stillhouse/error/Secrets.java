package io.stillhouse.error;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/**
 * Values that must not be shown: of environment variables and configuration keys whose names say
 * that they are secret, and credentials in URLs. Messages, log lines and results show the name of
 * the variable or key instead.
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
   * Configuration keys whose value is secret, such as {@code fs.s3a.secret.key} and {@code
   * fs.azure.account.key.NAME}. The secret word is the last one, so that keys about secrets, such
   * as {@code fs.s3a.aws.credentials.provider}, are none.
   */
  private static final Pattern CONFIGURATION_KEY =
      Pattern.compile(
          "(?:secret|password|passwd|passphrase|token|access[._-]?key|secret[._-]?key|account[._-]?key"
              + "|api[._-]?key|private[._-]?key|encryption[._-]?key|server-side-encryption\\.key)$"
              + "|account\\.key\\.|\\.sas\\.",
          Pattern.CASE_INSENSITIVE);

  /** A user and password before the host of a URL. */
  private static final Pattern USER_INFO =
      Pattern.compile("(?<=://)[^/\\s:@'\"]*:[^/\\s@'\"]+(?=@)");

  /** A signature or token in the query of a URL, such as that of a shared access signature. */
  private static final Pattern URL_PARAMETER =
      Pattern.compile(
          "(?<=[?&](?:sig|signature|token|access_token|password|X-Amz-Signature|X-Amz-Security-Token"
              + "|X-Goog-Signature)=)[^&\\s'\"]+",
          Pattern.CASE_INSENSITIVE);

  private static final String REMOVED = "***";

  /**
   * The fewest characters of a value that is replaced in texts: a shorter one is part of other
   * words and numbers.
   */
  private static final int MIN_LENGTH = 8;

  /** The names of variables and keys, by value. */
  private static final Map<String, String> KNOWN = new ConcurrentHashMap<>();

  private Secrets() {}

  /** Returns whether the name of an environment variable says that its value is secret. */
  public static boolean isSecret(String variable) {
    return NAME.matcher(variable).find();
  }

  /** Returns whether the name of a key of Spark or Hadoop says that its value is secret. */
  public static boolean isSecretKey(String key) {
    return CONFIGURATION_KEY.matcher(key).find();
  }

  /** Returns whether a text contains a URL with a password or a token. */
  public static boolean areInUrl(String text) {
    return text.contains("://")
        && (USER_INFO.matcher(text).find() || URL_PARAMETER.matcher(text).find());
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

  /** Remembers the environment variables of this process whose names say that they are secret. */
  public static void rememberEnvironment() {
    System.getenv()
        .forEach(
            (name, value) -> {
              if (isSecret(name)) {
                remember(name, value);
              }
            });
  }

  /** Returns the names that were remembered, by value, so that another process can know them. */
  public static Map<String, String> known() {
    return Map.copyOf(KNOWN);
  }

  /**
   * Returns a text with the names of variables and keys in place of the values that were
   * remembered, and without credentials in URLs.
   */
  public static String hiddenIn(String text) {
    String hidden = text;
    for (Map.Entry<String, String> secret : KNOWN.entrySet()) {
      hidden = hidden.replace(secret.getKey(), shown(secret.getValue()));
    }
    if (areInUrl(hidden)) {
      hidden = USER_INFO.matcher(hidden).replaceAll(REMOVED);
      hidden = URL_PARAMETER.matcher(hidden).replaceAll(REMOVED);
    }
    return hidden;
  }
}
