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
 * @param size its numbers of rows, tokens and bytes
 * @param hashes hashes that together cover every byte
 * @param teacher name of the teacher whose targets it holds; "" for the first teacher and for
 *     inputs
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
    teacher = teacher == null ? "" : teacher; // entries may omit the first teacher
  }

  /** Numbers of rows and tokens in the shard, and of bytes in the file. */
  public record Size(int rows, long tokens, long bytes) implements Serializable {}

  /**
   * Hashes of a file's parts, which together cover all of it: the four magic bytes, the column
   * chunks in order, and the rest.
   *
   * @param chunks hashes of the column chunks, in order of offset
   * @param footer SHA-256 of what follows the last chunk: indexes, footer, magic
   */
  public record Hashes(List<Chunk> chunks, String footer) implements Serializable {
    public Hashes {
      chunks = List.copyOf(chunks);
    }

    /** Returns the offset of the footer. */
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
