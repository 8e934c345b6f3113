package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.augment.WordVectors;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.text.Tokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.apache.hadoop.fs.Path;

/** A file of word vectors on any Hadoop file system. Every call reads the file from the start. */
public final class WordVectorFile {
  private static final int BUFFER = 1 << 20;

  private final Storage storage;
  private final Path path;

  /**
   * @param key the option that names the file
   * @throws io.stillhouse.error.StillhouseException if the file does not exist
   */
  public WordVectorFile(Storage storage, String key, String path) throws IOException {
    this.storage = storage;
    this.path = storage.requireFile(key, path);
  }

  /** Like the constructor, but wraps {@link IOException}. */
  public static WordVectorFile of(Storage storage, String key, String path) {
    try {
      return new WordVectorFile(storage, key, path);
    } catch (IOException e) {
      throw new UncheckedIOException(format("cannot read '%s'", path), e);
    }
  }

  public Path path() {
    return path;
  }

  /** Returns the width of the vectors. */
  public int width() {
    try (BufferedReader lines = open()) {
      return new WordVectors(path.toString(), lines).width();
    } catch (IOException e) {
      throw new UncheckedIOException(format("cannot read '%s'", path), e);
    }
  }

  /** Returns the vectors of a tokenizer's tokens, by id. Tokens without a vector are omitted. */
  public Map<Integer, float[]> of(Tokenizer tokenizer) throws IOException {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokenizer.vocabSize(); id++) {
      if (!tokenizer.token(id).isEmpty()) { // unused ids have an empty token
        ids.put(tokenizer.token(id), id);
      }
    }
    Map<Integer, float[]> vectors = new HashMap<>();
    try (BufferedReader lines = open()) {
      new WordVectors(path.toString(), lines)
          .read(ids.keySet())
          .forEach((token, vector) -> vectors.put(ids.get(token), vector));
    }
    return vectors;
  }

  /**
   * Returns the vectors of at most {@code limit} wanted words, in the order of the file.
   *
   * @throws io.stillhouse.error.StillhouseException if there are none, or a line is malformed
   */
  public Map<String, float[]> first(Predicate<String> wanted, int limit) throws IOException {
    try (BufferedReader lines = open()) {
      Map<String, float[]> vectors = new WordVectors(path.toString(), lines).read(wanted, limit);
      if (vectors.isEmpty()) {
        throw Errors.invalid(
            format("the word vector file '%s' contains no usable word", path),
            "use a file in GloVe's format: a word and its numbers on each line");
      }
      return vectors;
    }
  }

  private BufferedReader open() throws IOException {
    return new BufferedReader(
        new InputStreamReader(storage.fileSystem(path).open(path), StandardCharsets.UTF_8), BUFFER);
  }
}
