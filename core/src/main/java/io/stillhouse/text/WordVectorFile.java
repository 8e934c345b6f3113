package io.stillhouse.text;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Word vectors as GloVe writes them: a line for each word, the word and its numbers, between single
 * blanks, the commonest words first. Words that are not of letters alone are left out.
 *
 * @param words each once
 * @param width numbers of a vector
 * @param values of all vectors, one after another
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record WordVectorFile(List<String> words, int width, float[] values) {

  /**
   * Reads the first words of a file.
   *
   * @param most words that are read; TinyBERT's released code reads 100,000
   * @throws StillhouseException naming the first line that is no vector, or unlike the first
   */
  public static WordVectorFile read(Path file, int most) throws IOException {
    Set<String> words = new LinkedHashSet<>();
    List<float[]> vectors = new ArrayList<>();
    int number = 0;
    try (BufferedReader in = Files.newBufferedReader(file)) {
      for (String line = in.readLine(); line != null && words.size() < most; line = in.readLine()) {
        number++;
        String[] fields = line.strip().split(" ");
        if (!ReplaceableWords.isWord(fields[0]) || !words.add(fields[0])) {
          continue;
        }
        vectors.add(vector(file, number, fields));
        if (fields.length != 1 + vectors.get(0).length) {
          throw broken(
              file,
              number,
              "%d numbers, not %d as before".formatted(fields.length - 1, vectors.get(0).length));
        }
      }
    } catch (MalformedInputException e) {
      throw Errors.invalid(
          "word vectors '%s' are not UTF-8 after line %d".formatted(file, number),
          "convert the file",
          e);
    }
    if (words.isEmpty()) {
      throw Errors.invalid(
          "word vectors '%s' hold no word of letters".formatted(file),
          "name a text file as GloVe's, a word and its numbers a line");
    }
    int width = vectors.get(0).length;
    float[] values = new float[Math.multiplyExact(width, vectors.size())];
    for (int word = 0; word < vectors.size(); word++) {
      System.arraycopy(vectors.get(word), 0, values, word * width, width);
    }
    return new WordVectorFile(List.copyOf(words), width, values);
  }

  private static float[] vector(Path file, int number, String[] fields) {
    if (fields.length < 2) {
      throw broken(file, number, "a word without numbers");
    }
    float[] vector = new float[fields.length - 1];
    for (int i = 0; i < vector.length; i++) {
      try {
        vector[i] = Float.parseFloat(fields[i + 1]);
      } catch (NumberFormatException e) {
        throw broken(file, number, "'%s' where a number should be".formatted(fields[i + 1]));
      }
      if (!Float.isFinite(vector[i])) {
        throw broken(file, number, "a number that is not finite");
      }
    }
    return vector;
  }

  private static StillhouseException broken(Path file, int number, String what) {
    return Errors.invalid(
        "word vectors '%s' have in line %d %s".formatted(file, number, what),
        "name a text file as GloVe's, a word and its numbers a line");
  }
}
