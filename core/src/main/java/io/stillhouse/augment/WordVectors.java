package io.stillhouse.augment;

import io.stillhouse.error.Errors;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Word vectors in a text file as GloVe's: a token and its numbers a line. A first line as
 * word2vec's, with the count of vectors and their width, may be there.
 */
public final class WordVectors {
  private static final String MEND = "give a file of one token and its numbers a line, as GloVe's";

  private final String name;
  private final BufferedReader lines;

  /**
   * @param name of the file, for messages
   * @param lines which the caller closes
   */
  public WordVectors(String name, BufferedReader lines) {
    this.name = name;
    this.lines = lines;
  }

  /**
   * Returns how many numbers a vector has, by the first line.
   *
   * @throws io.stillhouse.error.StillhouseException if that holds no vector
   */
  public int width() throws IOException {
    return width(lines.readLine());
  }

  /**
   * Reads the vectors of some tokens, by token, as far as they are there.
   *
   * @throws io.stillhouse.error.StillhouseException naming the line that is too short, or whose
   *     numbers are none
   */
  public Map<String, float[]> read(Set<String> tokens) throws IOException {
    return read(tokens::contains, Integer.MAX_VALUE);
  }

  /**
   * Reads the first vectors of tokens that are wanted, each token's first, in the file's order.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link #read(Set)}
   */
  public Map<String, float[]> read(Predicate<String> wanted, int most) throws IOException {
    Map<String, float[]> vectors = new LinkedHashMap<>();
    String line = lines.readLine();
    int width = width(line);
    int number = 1;
    if (header(line)) {
      line = lines.readLine();
      number++;
    }
    for (; line != null && vectors.size() < most; line = lines.readLine(), number++) {
      int end = line.indexOf(' ');
      if (end > 0 && wanted.test(line.substring(0, end))) {
        String[] fields = line.strip().split(" ", -1);
        if (fields.length <= width) {
          throw Errors.invalid(
              "'%s', line %d has %d numbers, but the first vector has %d"
                  .formatted(name, number, fields.length - 1, width),
              MEND);
        }
        if (fields.length == width + 1) { // else the token itself has blanks
          vectors.putIfAbsent(fields[0], numbers(fields, number));
        }
      }
    }
    return vectors;
  }

  private int width(@Nullable String first) {
    String[] fields = first == null ? new String[0] : first.strip().split(" ", -1);
    if (fields.length < 2) {
      throw Errors.invalid("'%s' holds no vector in its first line".formatted(name), MEND);
    }
    return header(first) ? Integer.parseInt(fields[1]) : fields.length - 1;
  }

  private static boolean header(@Nullable String first) {
    return first != null && first.strip().matches("\\d{1,9} [1-9]\\d{0,5}");
  }

  private float[] numbers(String[] fields, int number) {
    float[] vector = new float[fields.length - 1];
    for (int i = 0; i < vector.length; i++) {
      try {
        vector[i] = Float.parseFloat(fields[i + 1]);
      } catch (NumberFormatException e) {
        vector[i] = Float.NaN;
      }
      if (!Float.isFinite(vector[i])) {
        throw Errors.invalid(
            "'%s', line %d: '%s' is not a finite number".formatted(name, number, fields[i + 1]),
            MEND);
      }
    }
    return vector;
  }
}
