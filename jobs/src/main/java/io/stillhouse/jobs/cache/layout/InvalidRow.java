package io.stillhouse.jobs.cache.layout;

import java.io.Serializable;
import org.jspecify.annotations.Nullable;

/**
 * A row for which a teacher's output is not finite.
 *
 * @param id key of the row
 * @param reason why it has no targets
 * @param teacher name of the teacher, "" for the first
 */
public record InvalidRow(int shard, String id, String reason, String teacher)
    implements Serializable {
  public InvalidRow(int shard, String id, String reason, @Nullable String teacher) {
    this.shard = shard;
    this.id = id;
    this.reason = reason;
    this.teacher = teacher == null ? "" : teacher; // entries may omit the first teacher
  }
}
