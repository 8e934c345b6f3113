package io.stillhouse.jobs.cache;

import java.io.Serializable;
import java.util.List;

/**
 * One finished file, as the manifest lists it.
 *
 * @param unit number of the unit
 * @param family its {@link io.stillhouse.target.Family#id()}
 * @param path relative to the cache
 * @param columns names of its columns
 * @param size what is in it
 */
record CacheFile(int unit, String family, String path, List<String> columns, Size size)
    implements Serializable {

  /** Rows and tokens of the unit; bytes and SHA-256 of the file. */
  record Size(int rows, long tokens, long bytes, String sha256) implements Serializable {}
}
