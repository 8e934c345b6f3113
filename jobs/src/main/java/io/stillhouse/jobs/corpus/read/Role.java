package io.stillhouse.jobs.corpus.read;

import io.stillhouse.spec.CorpusSpec;
import org.jspecify.annotations.Nullable;

/** What a column is read for. */
public enum Role {
  TEXT,
  PAIR,
  LABEL,
  ID;

  /** Returns the name of the column that a corpus has for this role, or null if it has none. */
  public @Nullable String column(CorpusSpec.Columns columns) {
    return switch (this) {
      case TEXT -> columns.text();
      case PAIR -> columns.pair();
      case LABEL -> columns.label();
      case ID -> columns.id();
    };
  }

  /** Returns the word for it in messages. */
  public String word() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
