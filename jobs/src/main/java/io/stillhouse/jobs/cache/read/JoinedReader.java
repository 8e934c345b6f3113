package io.stillhouse.jobs.cache.read;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads the rows of one cache, each with the targets that the caches of additional teachers hold
 * for the same key. Leaves out the rows for which the caller found that a teacher has no targets.
 */
public final class JoinedReader implements TargetSource {
  /** Maximum size of the cells of other caches that are kept, by most recent use. */
  private static final long MAX_HELD_BYTES = 128L << 20;

  private final TargetSource first;
  private final List<AdditionalTeacher> additional;
  private final List<BitSet> leftOut;
  private final LinkedHashMap<Place, Shard> held = new LinkedHashMap<>(16, 0.75f, true);
  private long heldBytes;

  /** Whether an additional teacher must have read the same tokens as the first. */
  public enum Tokens {
    SAME,
    ANY
  }

  /**
   * The cache of an additional teacher.
   *
   * @param name name of the teacher
   * @param reader reader of the columns that the student learns from
   * @param shards for each shard of the first cache, those of this one that hold its rows
   */
  public record AdditionalTeacher(
      String name, CacheReader reader, List<BitSet> shards, Tokens tokens) {}

  private record Place(int teacher, int shard) {}

  private record Shard(Map<String, Example> rows, long bytes) {}

  /**
   * @param leftOut for each shard, the indices of rows that are left out; empty if none are
   */
  public JoinedReader(
      TargetSource first, List<AdditionalTeacher> additional, List<BitSet> leftOut) {
    this.first = first;
    this.additional = List.copyOf(additional);
    this.leftOut = List.copyOf(leftOut);
  }

  @Override
  public List<Integer> shardRows() {
    return remaining(first.shardRows(), leftOut);
  }

  /** Returns the rows of each shard without those that are left out. */
  public static List<Integer> remaining(List<Integer> shardRows, List<BitSet> leftOut) {
    List<Integer> remaining = new ArrayList<>(shardRows);
    for (int shard = 0; shard < leftOut.size(); shard++) {
      remaining.set(shard, shardRows.get(shard) - leftOut.get(shard).cardinality());
    }
    return List.copyOf(remaining);
  }

  @Override
  public List<Example> read(int shard) throws IOException {
    List<Example> all = first.read(shard);
    List<Example> rows = new ArrayList<>(all.size());
    for (int row = 0; row < all.size(); row++) {
      if (leftOut.isEmpty() || !leftOut.get(shard).get(row)) {
        rows.add(all.get(row));
      }
    }
    if (additional.isEmpty()) {
      return rows;
    }
    List<Map<String, Example>> found = new ArrayList<>();
    for (int number = 0; number < additional.size(); number++) {
      found.add(find(number, shard, rows));
    }
    List<Example> joined = new ArrayList<>(rows.size());
    for (Example row : rows) {
      joined.add(row.with(found.stream().map(teacherRows -> teacherRows.get(row.id())).toList()));
    }
    return joined;
  }

  /** Finds the rows of a shard in another cache. */
  private Map<String, Example> find(int number, int shard, List<Example> rows) throws IOException {
    Map<String, Example> found = new HashMap<>();
    BitSet shards = additional.get(number).shards().get(shard);
    for (int other = shards.nextSetBit(0); other >= 0; other = shards.nextSetBit(other + 1)) {
      Map<String, Example> otherRows = shard(new Place(number, other)).rows();
      for (Example row : rows) {
        Example otherRow = otherRows.get(row.id());
        if (otherRow != null) {
          found.put(row.id(), otherRow);
        }
      }
    }
    for (Example row : rows) {
      requireSame(additional.get(number), row, found.get(row.id()));
    }
    return found;
  }

  private static void requireSame(AdditionalTeacher teacher, Example row, @Nullable Example found) {
    if (found == null) {
      throw Errors.invalid(
          format(
              "row '%s' no longer has targets in the cache of teacher '%s'",
              row.id(), teacher.name()),
          "start the command again, which looks for missing rows first");
    }
    if (teacher.tokens() == Tokens.SAME
        && !(Arrays.equals(row.inputs().inputIds(), found.inputs().inputIds())
            && Arrays.equals(row.inputs().mlmLabels(), found.inputs().mlmLabels()))) {
      throw Errors.invalid(
          format(
              "row '%s' has different token ids or masks in the cache of teacher '%s'",
              row.id(), teacher.name()),
          "cache both with the same tokenizer, or use only the soft-label term of this teacher");
    }
  }

  private Shard shard(Place place) throws IOException {
    Shard shard = held.get(place);
    if (shard != null) {
      return shard;
    }
    Map<String, Example> rows = new HashMap<>();
    long bytes = 0;
    for (Example row : additional.get(place.teacher()).reader().read(place.shard())) {
      rows.put(row.id(), row);
      bytes += (long) Long.BYTES * row.length();
      bytes += row.cells().values().stream().mapToLong(cell -> cell.length).sum();
    }
    shard = new Shard(rows, bytes);
    held.put(place, shard);
    heldBytes += bytes;
    var oldest = held.values().iterator();
    while (heldBytes > MAX_HELD_BYTES) {
      heldBytes -= oldest.next().bytes();
      oldest.remove();
    }
    return shard;
  }
}
