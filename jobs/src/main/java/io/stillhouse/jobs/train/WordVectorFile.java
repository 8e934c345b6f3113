package io.stillhouse.jobs.train;

import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.text.WordVectors;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/** A file of word vectors on any Hadoop file system, as {@code student.word-vectors} names one. */
public final class WordVectorFile {
  private static final int BUFFER = 1 << 20;

  private final Storage storage;
  private final Path path;

  /**
   * @throws io.stillhouse.error.StillhouseException if there is nothing at that path
   */
  WordVectorFile(Storage storage, String path) throws IOException {
    this.storage = storage;
    this.path = storage.requireExisting("student.word-vectors", path);
  }

  Path path() {
    return path;
  }

  /** Returns how many numbers a vector of a file has. */
  public static int width(Storage storage, String path) {
    try (BufferedReader lines = new WordVectorFile(storage, path).open()) {
      return new WordVectors(path, lines).width();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read '%s'".formatted(path), e);
    }
  }

  /** Returns the vectors of a tokenizer's word pieces by id, as far as they are there. */
  Map<Integer, float[]> of(Tokenizer tokenizer) throws IOException {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokenizer.vocabSize(); id++) {
      if (!tokenizer.token(id).isEmpty()) { // ids may have gaps
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

  private BufferedReader open() throws IOException {
    return new BufferedReader(
        new InputStreamReader(storage.fileSystem(path).open(path), StandardCharsets.UTF_8), BUFFER);
  }
}
