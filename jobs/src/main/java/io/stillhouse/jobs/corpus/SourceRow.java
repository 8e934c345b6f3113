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
 * @param unlabelled whether the row is of a file without labels, so that a missing label is right
 */
public record SourceRow(
    String key,
    String text,
    @Nullable String pair,
    @Nullable String label,
    @Nullable String problem,
    boolean unlabelled)
    implements Serializable {

  /**
   * Creates a row of a file with labels, or of a corpus whose labels are not read, that can be
   * read.
   */
  public SourceRow(String key, String text, @Nullable String pair, @Nullable String label) {
    this(key, text, pair, label, null, false);
  }

  /** Creates a row of a file with labels, or of a corpus whose labels are not read. */
  public SourceRow(
      String key,
      String text,
      @Nullable String pair,
      @Nullable String label,
      @Nullable String problem) {
    this(key, text, pair, label, problem, false);
  }

  /** Returns the same row as one of a file without labels. */
  SourceRow withoutLabel() {
    return new SourceRow(key, text, pair, null, problem, true);
  }
}
