package io.stillhouse.jobs.cache.layout;

import java.io.Serializable;
import java.util.List;

/**
 * One finished file, as the manifest lists it.
 *
 * @param shard number of the shard
 * @param family its {@link io.stillhouse.target.Family#id()}
 * @param path relative to the cache
 * @param columns names of its columns
 * @param size what is in it
 * @param hashes of every byte of it
 * @param teacher whose targets it holds: "" for the first, and for inputs
 */
public record CacheFile(
    int shard,
    String family,
    String path,
    List<String> columns,
    Size size,
    Hashes hashes,
    String teacher)
    implements Serializable {

  public CacheFile {
    columns = List.copyOf(columns);
    teacher = teacher == null ? "" : teacher; // as entries of one teacher alone were written
  }

  /** Rows and tokens of the shard, and bytes of the file. */
  public record Size(int rows, long tokens, long bytes) implements Serializable {}

  /**
   * Hashes of a file's parts, which together are all of it: four bytes of magic, the column chunks
   * in order, and the rest.
   *
   * @param chunks in order of their offsets
   * @param footer SHA-256 of what follows the last chunk: indexes, footer, magic
   */
  public record Hashes(List<Chunk> chunks, String footer) implements Serializable {
    public Hashes {
      chunks = List.copyOf(chunks);
    }

    /** Returns where the footer begins. */
    long footerStart() {
      return chunks.isEmpty() ? CheckedFile.MAGIC.length : chunks.get(chunks.size() - 1).end();
    }
  }

  /** A column's bytes in one row group, and their SHA-256. */
  public record Chunk(String column, long offset, long bytes, String sha256)
      implements Serializable {
    long end() {
      return offset + bytes;
    }
  }
}
