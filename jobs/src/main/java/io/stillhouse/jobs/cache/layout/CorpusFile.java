package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * A text file that a cache was built from.
 *
 * @param name its name, with which the keys of its rows start
 * @param sha256 SHA-256 of its bytes
 */
public record CorpusFile(String name, String sha256) {

  /** Reads and hashes the files of a corpus. */
  public static List<CorpusFile> hash(Storage storage, CorpusFiles corpus) throws IOException {
    List<CorpusFile> hashed = new ArrayList<>();
    for (Path file : corpus.files()) {
      hashed.add(new CorpusFile(corpus.name(file), storage.sha256(file)));
    }
    return hashed;
  }

  /** Returns one hash over the hash of earlier files and the hashes of these files, in order. */
  static String combined(String before, List<CorpusFile> files) {
    MessageDigest digest = Storage.digest();
    digest.update(before.getBytes(StandardCharsets.UTF_8));
    files.forEach(file -> digest.update(file.sha256().getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }
}
