package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The spelling and the order of class names, which may be words or numbers. */
public final class ClassNames {
  private static final Pattern NUMBER = Pattern.compile("[-+]?\\d+(\\.\\d+)?");

  /** A number with a fraction, and without leading zeros, which may be part of a code. */
  private static final Pattern FRACTION = Pattern.compile("(-?(?:0|[1-9]\\d*))\\.(\\d*?)0*");

  private static final Pattern NUMBERED = Pattern.compile("(.*?)(\\d+)");

  private static final int MAX_SHOWN = 12;
  private static final int MAX_SHOWN_CHARACTERS = 160;

  private static final Comparator<String> WORDS =
      Comparator.comparing(ClassNames::prefix)
          .thenComparing(ClassNames::suffix)
          .thenComparing(Comparator.naturalOrder());

  private ClassNames() {}

  /**
   * Returns a label without surrounding blanks, and a number without trailing zeros. Many tools
   * convert a column of integers with missing values to floating point, so {@code 1.0} is {@code
   * 1}. All other labels are compared as text: {@code 01} is not {@code 1}.
   */
  public static String canonical(String label) {
    String text = label.strip();
    Matcher number = FRACTION.matcher(text);
    if (!number.matches()) {
      return text.equals("-0") ? "0" : text;
    }
    String fraction = number.group(2);
    if (!fraction.isEmpty()) {
      return number.group(1) + "." + fraction;
    }
    return number.group(1).equals("-0") ? "0" : number.group(1);
  }

  /** Returns whether a name is an integer or a decimal number. */
  public static boolean isNumber(String name) {
    return NUMBER.matcher(name.strip()).matches();
  }

  /**
   * Returns the distinct labels in the order of their class ids: numbers by value, then words.
   * Words that differ only in a number at their end are in its order, so {@code LABEL_2} precedes
   * {@code LABEL_10}.
   */
  public static List<String> ordered(Collection<String> labels) {
    return labels.stream()
        .map(ClassNames::canonical)
        .distinct()
        .sorted(ClassNames::compare)
        .toList();
  }

  private static int compare(String a, String b) {
    boolean number = isNumber(a);
    if (number != isNumber(b)) {
      return number ? -1 : 1;
    }
    int order = number ? new BigDecimal(a).compareTo(new BigDecimal(b)) : 0;
    return order == 0 ? WORDS.compare(a, b) : order;
  }

  private static String prefix(String word) {
    Matcher numbered = NUMBERED.matcher(word);
    return numbered.matches() ? numbered.group(1) : word;
  }

  private static BigDecimal suffix(String word) {
    Matcher numbered = NUMBERED.matcher(word);
    return numbered.matches() ? new BigDecimal(numbered.group(2)) : BigDecimal.ONE.negate();
  }

  /** Returns a list of names for a message; a long list or name is cut. */
  public static String shown(List<String> names) {
    List<String> shown = new ArrayList<>();
    int characters = 0;
    while (shown.size() < Math.min(names.size(), MAX_SHOWN) && characters < MAX_SHOWN_CHARACTERS) {
      String name = Errors.shortened(names.get(shown.size()));
      characters += name.length() + 2;
      shown.add(name);
    }
    return shown.size() == names.size()
        ? shown.toString()
        : format("%s and %d more", shown, names.size() - shown.size());
  }
}
