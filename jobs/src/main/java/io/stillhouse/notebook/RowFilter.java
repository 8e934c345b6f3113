package io.stillhouse.notebook;

import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * Which rows are read: an evenly spaced sample of all rows, or a single one.
 *
 * @param wanted size of the sample
 * @param total number of rows of the shards that are read
 * @param id key of the only row that is read; null for the sample
 */
record RowFilter(long wanted, long total, @Nullable String id) implements Serializable {

  /** Returns whether a row is read; exactly {@code wanted} of {@code total} indices are. */
  boolean keeps(long index, String key) {
    return id != null
        ? id.equals(key)
        : wanted >= total || (index + 1) * wanted / total > index * wanted / total;
  }
}
