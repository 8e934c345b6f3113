package io.stillhouse.config;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Lists of texts in the notation of a recipe: {@code a}, {@code a, b} or {@code [a, "b, c"]}. An
 * element in double quotes may contain commas, brackets, leading and trailing blanks and, after a
 * backslash, double quotes and backslashes.
 */
public final class ListText {
  private final String text;
  private int at;
  private boolean hasEmpty;

  private ListText(String text) {
    this.text = text;
  }

  /**
   * Reads a list. Elements without quotes are stripped, and empty ones are left out.
   *
   * @throws IllegalArgumentException if a quote is not closed, or text follows a closing quote
   */
  public static List<String> parse(String text) {
    return new ListText(body(text)).elements();
  }

  private static String body(String text) {
    String body = text.strip();
    boolean bracketed = body.startsWith("[") && body.endsWith("]") && body.length() > 1;
    return bracketed ? body.substring(1, body.length() - 1) : body;
  }

  /**
   * Reads a list like {@link #parse}, but rejects empty elements: a name that is left out shifts
   * those after it.
   *
   * @throws IllegalArgumentException also if an element without quotes is empty
   */
  public static List<String> parseNames(String text) {
    ListText list = new ListText(body(text));
    List<String> names = list.elements();
    if (list.hasEmpty && !(names.isEmpty() && list.text.isBlank())) {
      throw new IllegalArgumentException("an element is empty: " + text);
    }
    return names;
  }

  /** Writes a list as {@link #parse} reads it. */
  public static String write(List<?> elements) {
    return elements.stream()
        .map(element -> element instanceof String plain ? quoted(plain) : String.valueOf(element))
        .collect(Collectors.joining(", ", "[", "]"));
  }

  /** Writes an element as {@link #parse} reads it, in quotes if it needs them. */
  static String quoted(String element) {
    boolean plain =
        !element.isEmpty()
            && element.equals(element.strip())
            && element.chars().noneMatch(c -> c == ',' || c == '"' || c == '[' || c == ']');
    return plain ? element : '"' + element.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  private List<String> elements() {
    List<String> elements = new ArrayList<>();
    while (at < text.length()) {
      skipBlanks();
      if (at < text.length() && text.charAt(at) == '"') {
        elements.add(quotedElement());
      } else {
        int comma = text.indexOf(',', at);
        int end = comma < 0 ? text.length() : comma;
        String element = text.substring(at, end).strip();
        if (element.isEmpty()) {
          hasEmpty = true;
        } else {
          elements.add(element);
        }
        at = end;
      }
      at++; // the comma
    }
    hasEmpty |= text.strip().endsWith(",");
    return List.copyOf(elements);
  }

  private String quotedElement() {
    StringBuilder element = new StringBuilder();
    for (at++; at < text.length(); at++) {
      char c = text.charAt(at);
      if (c == '"') {
        at++;
        skipBlanks();
        if (at < text.length() && text.charAt(at) != ',') {
          throw new IllegalArgumentException("text after a closing quote: " + text);
        }
        return element.toString();
      }
      boolean escape =
          c == '\\'
              && at + 1 < text.length()
              && (text.charAt(at + 1) == '"' || text.charAt(at + 1) == '\\');
      element.append(escape ? text.charAt(++at) : c);
    }
    throw new IllegalArgumentException("a quote is not closed: " + text);
  }

  private void skipBlanks() {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
  }
}
