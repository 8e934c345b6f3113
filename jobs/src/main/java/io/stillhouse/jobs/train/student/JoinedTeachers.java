package io.stillhouse.jobs.train.student;

import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Teachers;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The additional teachers of a student, and the rows that it is not trained on: those that a
 * teacher lacks and, if it learns from labels alone, those without a label.
 *
 * @param weight the weight of the first teacher, whose targets are in the student's own cache
 * @param additional the additional teachers, in the recipe's order
 * @param leftOut for each shard of the student's cache, the positions of the rows that are not
 *     trained on; empty if all are
 */
public record JoinedTeachers(
    double weight, List<AdditionalTeacher> additional, List<BitSet> leftOut)
    implements Serializable {
  /** A single teacher, with all of its rows. */
  public static final JoinedTeachers NONE = new JoinedTeachers(1, List.of(), List.of());

  public JoinedTeachers {
    additional = List.copyOf(additional);
    leftOut = List.copyOf(leftOut);
  }

  /**
   * An additional teacher whose cache was found and joined.
   *
   * @param name the name of the teacher in the recipe
   * @param source its targets
   * @param tokens whether it must have read the same tokens as the first teacher
   * @param weight its weight relative to the other teachers
   * @param loss what the student learns from it
   * @param shards for each shard of the student's cache, the shards of the source that hold its
   *     rows
   */
  public record AdditionalTeacher(
      String name,
      CacheSource source,
      JoinedReader.Tokens tokens,
      double weight,
      DistillSpec loss,
      List<BitSet> shards)
      implements Serializable {
    public AdditionalTeacher {
      shards = List.copyOf(shards);
    }
  }

  /** Returns the weights and losses of all teachers. */
  Teachers teachers() {
    return additional.isEmpty()
        ? Teachers.SINGLE
        : new Teachers(
            weight,
            additional.stream()
                .map(each -> new Teachers.Additional(each.weight(), each.loss()))
                .toList());
  }

  /** Returns the same rows with the targets of the first teacher alone. */
  public JoinedTeachers withoutAdditional() {
    return leftOut.isEmpty() ? NONE : new JoinedTeachers(1, List.of(), leftOut);
  }

  /**
   * Returns a copy that leaves out further rows.
   *
   * @param rows the positions of these rows, for each shard of the student's cache
   */
  public JoinedTeachers leavingOut(List<BitSet> rows) {
    List<BitSet> all = new ArrayList<>();
    for (int shard = 0; shard < rows.size(); shard++) {
      BitSet out = (BitSet) rows.get(shard).clone();
      if (!leftOut.isEmpty()) {
        out.or(leftOut.get(shard));
      }
      all.add(out);
    }
    return new JoinedTeachers(weight, additional, all);
  }

  /** Returns the number of rows that are not trained on, or null if there are none. */
  @Nullable Integer rowsLeftOut() {
    int rows = leftOut.stream().mapToInt(BitSet::cardinality).sum();
    return rows == 0 ? null : rows;
  }

  /** Returns whether another student reads the same rows of the same caches. */
  public boolean readsSameRowsAs(JoinedTeachers other) {
    return leftOut.equals(other.leftOut) && sources().equals(other.sources());
  }

  private List<List<Object>> sources() {
    return additional.stream().map(each -> List.<Object>of(each.source(), each.tokens())).toList();
  }
}
