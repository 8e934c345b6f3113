package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;

/** The keys of a shard's rows, and the hash of them that the plan records. */
public final class RowKeys {
  private RowKeys() {}

  /** Reads the keys from one of a shard's files, in order. */
  public static List<String> read(CheckedFile file, Storage storage) throws IOException {
    return ParquetRows.read(file, List.of(Targets.ID), storage.hadoop()).stream()
        .map(row -> (String) row[0])
        .toList();
  }

  /** Returns the SHA-256 of keys in order, one per line. */
  public static String hash(List<String> keys) {
    MessageDigest digest = Storage.digest();
    keys.forEach(key -> digest.update((key + "\n").getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }
}
