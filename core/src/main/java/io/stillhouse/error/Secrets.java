package io.stillhouse.error;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/**
 * The values of environment variables that a recipe uses and whose names say that they are secret.
 * Messages and results show the name of the variable instead.
 */
public final class Secrets {
  private static final Pattern NAME =
      Pattern.compile("TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIAL", Pattern.CASE_INSENSITIVE);

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

  /** Remembers a value that must not be shown. */
  public static void remember(String variable, String value) {
    if (!value.isEmpty()) {
      KNOWN.put(value, variable);
    }
  }

  /** Returns a text with the names of variables in place of secret values. */
  public static String hiddenIn(String text) {
    String hidden = text;
    for (Map.Entry<String, String> secret : KNOWN.entrySet()) {
      hidden = hidden.replace(secret.getKey(), shown(secret.getValue()));
    }
    return hidden;
  }
}
