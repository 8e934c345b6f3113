package io.stillhouse.jobs.train.student;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * JSON with exactly one text for each value, so that hashes can be compared: keys are sorted, there
 * is no white space, and a double is written with all of its decimal digits, which, unlike those of
 * {@link Double#toString}, do not depend on the version of Java.
 */
final class CanonicalJson {
  private static final Gson STRINGS = new GsonBuilder().disableHtmlEscaping().create();

  private CanonicalJson() {}

  /**
   * Writes a value.
   *
   * @param value null, or maps with string keys, lists, strings, booleans, integers and finite
   *     doubles
   */
  static String write(@Nullable Object value) {
    if (value == null || value instanceof Boolean) {
      return String.valueOf(value);
    }
    if (value instanceof String text) {
      return STRINGS.toJson(text);
    }
    if (value instanceof Integer || value instanceof Long) {
      return value.toString();
    }
    if (value instanceof Double number) {
      return new BigDecimal(number).toString(); // refuses NaN and infinities
    }
    if (value instanceof List<?> list) {
      return list.stream().map(CanonicalJson::write).collect(Collectors.joining(",", "[", "]"));
    }
    if (value instanceof Map<?, ?> map) {
      TreeMap<String, String> members = new TreeMap<>();
      map.forEach((key, member) -> members.put((String) key, write(member)));
      return members.entrySet().stream()
          .map(member -> STRINGS.toJson(member.getKey()) + ":" + member.getValue())
          .collect(Collectors.joining(",", "{", "}"));
    }
    throw new IllegalArgumentException("no canonical JSON for " + value.getClass());
  }
}
