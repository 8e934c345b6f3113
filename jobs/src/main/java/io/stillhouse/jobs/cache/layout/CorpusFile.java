package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * A text file that a cache was built from.
 *
 * @param name its name, with which the keys of its rows start
 * @param sha256 SHA-256 of its bytes
 * @param unlabelled true if its rows have no labels, otherwise null
 */
public record CorpusFile(String name, String sha256, @Nullable Boolean unlabelled) {

  /** Creates a file whose rows have labels, or of a corpus without labels. */
  public CorpusFile(String name, String sha256) {
    this(name, sha256, null);
  }

  /** Returns whether another file gives the same rows, except for their keys. */
  public boolean sameRows(CorpusFile other) {
    return sha256.equals(other.sha256) && Objects.equals(unlabelled, other.unlabelled);
  }

  /** Returns whether the file's rows have no labels. */
  public boolean isUnlabelled() {
    return Boolean.TRUE.equals(unlabelled);
  }

  /** Reads and hashes the files of a corpus. */
  public static List<CorpusFile> hash(Storage storage, CorpusFiles corpus) throws IOException {
    List<CorpusFile> hashed = new ArrayList<>();
    for (Path file : corpus.files()) {
      hashed.add(
          new CorpusFile(
              corpus.name(file), storage.sha256(file), corpus.isUnlabelled(file) ? true : null));
    }
    return hashed;
  }

  /** Returns one hash over the hash of earlier files and the hashes of these files, in order. */
  static String combined(String before, List<CorpusFile> files) {
    MessageDigest digest = Storage.digest();
    digest.update(before.getBytes(StandardCharsets.UTF_8));
    files.forEach(
        file ->
            digest.update(
                (file.sha256() + (file.isUnlabelled() ? "unlabelled" : ""))
                    .getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }
}
