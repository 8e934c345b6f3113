package io.stillhouse.augment;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Reads word vectors from a text file in GloVe's format: each line contains a token and its vector.
 * The first line may be a word2vec header with the number of vectors and their width.
 */
public final class WordVectors {
  private static final String REMEDY =
      "use a file in GloVe's format: a token and its numbers on each line";

  private final String name;
  private final BufferedReader lines;

  /**
   * @param name the name of the file, for messages
   * @param lines the lines of the file; the caller closes the reader
   */
  public WordVectors(String name, BufferedReader lines) {
    this.name = name;
    this.lines = lines;
  }

  /**
   * Returns the width of the vectors according to the first line.
   *
   * @throws io.stillhouse.error.StillhouseException if the first line has neither a vector nor a
   *     header
   */
  public int width() throws IOException {
    return width(lines.readLine());
  }

  /**
   * Reads the vectors of the given tokens; tokens without a vector are missing from the result.
   *
   * @throws io.stillhouse.error.StillhouseException with the number of the line if a line is too
   *     short or has a value that is not a finite number
   */
  public Map<String, float[]> read(Set<String> tokens) throws IOException {
    return read(tokens::contains, Integer.MAX_VALUE);
  }

  /**
   * Reads vectors of wanted tokens in the order of the file, up to a maximum number. For a repeated
   * token, the first vector is used.
   *
   * @throws io.stillhouse.error.StillhouseException as {@link #read(Set)}
   */
  public Map<String, float[]> read(Predicate<String> wanted, int limit) throws IOException {
    Map<String, float[]> vectors = new LinkedHashMap<>();
    String line = lines.readLine();
    int width = width(line);
    int number = 1;
    if (header(line)) {
      line = lines.readLine();
      number++;
    }
    for (; line != null && vectors.size() < limit; line = lines.readLine(), number++) {
      int end = line.indexOf(' ');
      if (end > 0 && wanted.test(line.substring(0, end))) {
        String[] fields = line.strip().split(" ", -1);
        if (fields.length <= width) {
          throw Errors.invalid(
              format(
                  "'%s', line %d has %d numbers, but the first vector has %d",
                  name, number, fields.length - 1, width),
              REMEDY);
        }
        if (fields.length == width + 1) { // otherwise the token contains spaces
          vectors.putIfAbsent(fields[0], numbers(fields, number));
        }
      }
    }
    return vectors;
  }

  private int width(@Nullable String first) {
    String[] fields = first == null ? new String[0] : first.strip().split(" ", -1);
    if (fields.length < 2) {
      throw Errors.invalid(format("the first line of '%s' has no vector", name), REMEDY);
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
            format("'%s', line %d: '%s' is not a finite number", name, number, fields[i + 1]),
            REMEDY);
      }
    }
    return vector;
  }
}
