package io.stillhouse.jobs.corpus;

import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * One row of a corpus.
 *
 * @param key the user's id, or {@code file:ordinal}; unique in the corpus
 * @param text the text; empty if missing or blank
 * @param pair the second text, empty if missing or blank; null if rows are single texts
 * @param label the label as written in the corpus; null if missing or not read
 * @param problem why the record cannot be read, in which case it has no text; null if it can
 */
public record SourceRow(
    String key,
    String text,
    @Nullable String pair,
    @Nullable String label,
    @Nullable String problem)
    implements Serializable {

  /** Creates a row that can be read. */
  public SourceRow(String key, String text, @Nullable String pair, @Nullable String label) {
    this(key, text, pair, label, null);
  }
}
