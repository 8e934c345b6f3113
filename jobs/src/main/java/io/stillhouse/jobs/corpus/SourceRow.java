package io.stillhouse.jobs.corpus;

import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * One row of a corpus.
 *
 * @param key the user's id, or {@code file:ordinal}; no two rows of a corpus share it
 * @param text the text, empty where the corpus has none
 * @param pair the second text, empty where the corpus has none; null if rows are single texts
 * @param label as it stands in the corpus; null if missing or not asked for
 */
public record SourceRow(String key, String text, @Nullable String pair, @Nullable String label)
    implements Serializable {}
