package io.stillhouse.jobs.train.student;

import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.spec.Teachers;
import java.io.Serializable;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a student has besides the targets of its own cache.
 *
 * @param weight of the teacher of that cache beside the further ones
 * @param further teachers, in the recipe's order
 * @param leftOut by shard of the student's cache, the places of rows that are not trained on; empty
 *     where all are
 */
public record Joined(double weight, List<Further> further, List<BitSet> leftOut)
    implements Serializable {
  /** One teacher, and all of its rows. */
  static final Joined NOTHING = new Joined(1, List.of(), List.of());

  public Joined {
    further = List.copyOf(further);
    leftOut = List.copyOf(leftOut);
  }

  /**
   * A teacher besides the first.
   *
   * @param name of the teacher in the recipe
   * @param source of its targets
   * @param tokens whether it must have read those of the first
   * @param teaching what is learnt from it
   * @param shards by shard of the student's cache, those of the source that hold its rows
   */
  record Further(
      String name,
      Source source,
      JoinedReader.Tokens tokens,
      Teachers.Further teaching,
      List<BitSet> shards)
      implements Serializable {
    Further {
      shards = List.copyOf(shards);
    }
  }

  /**
   * Where targets lie.
   *
   * @param teacher whose: {@code teacher.name}
   * @param fingerprints of the cache's plan
   */
  record Source(String cache, String teacher, Map<String, String> fingerprints)
      implements Serializable {}

  /** Returns how much each teacher counts. */
  Teachers teachers() {
    return further.isEmpty()
        ? Teachers.ALONE
        : new Teachers(weight, further.stream().map(Further::teaching).toList());
  }

  /** Returns the same rows with the targets of one teacher alone. */
  Joined rowsAlone() {
    return leftOut.isEmpty() ? NOTHING : new Joined(1, List.of(), leftOut);
  }

  /** Returns how many rows are not trained on; null where all are. */
  @Nullable Integer rowsLeftOut() {
    int rows = leftOut.stream().mapToInt(BitSet::cardinality).sum();
    return rows == 0 ? null : rows;
  }

  /** Returns whether another student reads the same rows of the same caches. */
  public boolean readsAs(Joined other) {
    return leftOut.equals(other.leftOut) && sources().equals(other.sources());
  }

  private List<List<Object>> sources() {
    return further.stream().map(each -> List.<Object>of(each.source(), each.tokens())).toList();
  }

  /** Returns everything that weights depend on, in words; "" for nothing. */
  String fingerprint() {
    if (equals(NOTHING)) {
      return "";
    }
    List<String> taught =
        further.stream()
            .map(each -> each.teaching() + " of " + each.source().fingerprints())
            .toList();
    return "|%s|%s|%s".formatted(weight, taught, leftOut);
  }
}
