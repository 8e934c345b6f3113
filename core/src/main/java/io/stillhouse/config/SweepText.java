package io.stillhouse.config;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import com.typesafe.config.ConfigValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Reads and writes settings that contain other settings, as one line of HOCON. Values keep their
 * notation, because students are named after them: {@code 5e-4}, not {@code 5.0E-4}.
 */
public final class SweepText {
  private static final String ROOT = "root";

  /** The short form of {@code student.name} in a list of students. */
  private static final String NAME = "name";

  private SweepText() {}

  /** Reads {@code { key = [value, value] }}. */
  static Map<String, List<String>> parseLists(String text) {
    if (!(parse(text) instanceof ConfigObject object)) {
      throw new IllegalArgumentException(text);
    }
    Map<String, List<String>> lists = new TreeMap<>();
    object
        .toConfig()
        .entrySet()
        .forEach(entry -> lists.put(withoutQuotes(entry.getKey()), texts(entry.getValue())));
    return lists;
  }

  /** Reads {@code [{ name = a, key = value }]}. */
  static List<Map<String, String>> parseObjects(String text) {
    if (!(parse(text) instanceof ConfigList list)) {
      throw new IllegalArgumentException(text);
    }
    List<Map<String, String>> students = new ArrayList<>();
    for (ConfigValue value : list) {
      if (!(value instanceof ConfigObject object)) {
        throw new IllegalArgumentException(text);
      }
      Map<String, String> student = new TreeMap<>();
      object
          .toConfig()
          .entrySet()
          .forEach(entry -> student.put(key(entry.getKey()), text(entry.getValue())));
      students.add(student);
    }
    return students;
  }

  private static ConfigValue parse(String text) {
    try {
      return ConfigFactory.parseString(ROOT + " = " + text).getValue(ROOT);
    } catch (ConfigException e) {
      throw new IllegalArgumentException(text, e);
    }
  }

  private static String key(String path) {
    String key = withoutQuotes(path);
    return key.equals(NAME) ? Options.STUDENT_NAME.key() : key;
  }

  private static String withoutQuotes(String path) {
    return path.replace("\"", "");
  }

  /** Returns the elements of a list, or the single element of a value that is not a list. */
  static List<String> texts(ConfigValue value) {
    return value instanceof ConfigList list
        ? list.stream().map(SweepText::text).toList()
        : List.of(text(value));
  }

  /** Returns an element of a list; lists and objects are not quoted. */
  private static String element(ConfigValue value) {
    boolean nested = value instanceof ConfigList || value instanceof ConfigObject;
    return nested ? text(value) : ListText.quoted(text(value));
  }

  private static String text(ConfigValue value) {
    if (value instanceof ConfigList list) {
      return list.stream().map(SweepText::element).collect(Collectors.joining(", ", "[", "]"));
    }
    boolean scalar =
        value.valueType() != ConfigValueType.OBJECT && value.valueType() != ConfigValueType.NULL;
    return scalar ? value.atKey(ROOT).getString(ROOT) : write(value);
  }

  /**
   * Splits {@code [a, [b, c]]} into {@code a} and {@code [b, c]}; a text that is not a list becomes
   * the only element. Unlike HOCON, it needs no quotes around values such as {@code file:/x},
   * because users do not quote arguments.
   */
  public static List<String> split(String text) {
    String body = text.strip();
    if (!body.startsWith("[") || !body.endsWith("]")) {
      return List.of(unquote(body));
    }
    List<String> parts = new ArrayList<>();
    int depth = 0;
    boolean quoted = false;
    int from = 1;
    for (int at = 1; at < body.length(); at++) {
      char c = body.charAt(at);
      quoted ^= c == '"';
      boolean last = at == body.length() - 1;
      if (!quoted && depth == 0 && (c == ',' || last)) {
        parts.add(unquote(body.substring(from, at)));
        from = at + 1;
      }
      depth += quoted ? 0 : c == '[' ? 1 : c == ']' ? -1 : 0;
    }
    parts.removeIf(String::isEmpty);
    return parts;
  }

  private static String unquote(String part) {
    String text = part.strip();
    return text.length() > 1 && text.startsWith("\"") && text.endsWith("\"")
        ? text.substring(1, text.length() - 1)
        : text;
  }

  /** Writes lists of values by key, in the format of {@code sweep.over}. */
  public static String write(Map<String, List<String>> over) {
    return write(ConfigValueFactory.fromMap(over));
  }

  static String write(ConfigValue value) {
    return value.render(ConfigRenderOptions.concise());
  }

  /** Merges the lists of two texts; those of the second override those of the first. */
  static String merge(String text, String more) {
    try {
      Map<String, List<String>> all = parseLists(text);
      all.putAll(parseLists(more));
      return write(all);
    } catch (IllegalArgumentException e) {
      return text; // the rule of the option reports it
    }
  }
}
