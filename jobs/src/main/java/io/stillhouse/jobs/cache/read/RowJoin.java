package io.stillhouse.jobs.cache.read;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the rows of one cache in another by their keys. All keys are held in memory, at a few
 * hundred bytes per row.
 *
 * @param shards for each shard of the first cache, the shards of the other that hold its rows
 * @param missing for each shard of the first cache, the indices of rows without targets in the
 *     other
 * @param rows number of rows of the first cache
 * @param absent keys of rows that the other lacks
 * @param withoutTargets keys of rows that have no targets in the other
 */
public record RowJoin(
    List<BitSet> shards,
    List<BitSet> missing,
    long rows,
    List<String> absent,
    List<String> withoutTargets) {
  private static final int SHOWN = 5;
  private static final String UNIQUE =
      "set corpus.id to a column of unique values, and rebuild the cache";

  /** A row of the other cache. */
  record Place(int shard, RowKey key) {}

  /** The keys of all rows of a shard. */
  @FunctionalInterface
  interface Keys {
    List<RowKey> of(int shard) throws IOException;
  }

  /**
   * Joins two caches.
   *
   * @param first the first cache, as a training reads it
   * @param cache its name in messages
   * @param otherCache the name of the other one in messages
   * @param with what must be equal in rows with the same key
   * @throws io.stillhouse.error.StillhouseException if two rows of a cache have the same key, or if
   *     rows with the same key have different texts or, if these are read, tokens
   */
  public static RowJoin of(
      KeyedRows first, String cache, CacheReader other, String otherCache, RowKey.With with)
      throws IOException {
    Map<String, Place> places =
        places(other.shardRows().size(), shard -> other.allKeys(shard, with), otherCache);
    return join(first, cache, places, otherCache, with);
  }

  /** Joins rows with those of another cache, whose places are known. */
  static RowJoin join(
      KeyedRows first, String cache, Map<String, Place> places, String otherCache, RowKey.With with)
      throws IOException {
    List<BitSet> shards = new ArrayList<>();
    List<BitSet> missing = new ArrayList<>();
    List<String> absent = new ArrayList<>();
    List<String> withoutTargets = new ArrayList<>();
    List<String> duplicates = new ArrayList<>();
    List<String> otherText = new ArrayList<>();
    List<String> otherTokens = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    long rows = 0;
    for (int shard = 0; shard < first.shardRows().size(); shard++) {
      BitSet within = new BitSet();
      BitSet out = new BitSet();
      @Nullable RowKey before = null;
      int row = 0;
      for (RowKey key : first.keys(shard, with)) {
        if (key != before && !seen.add(key.id())) { // the previous row replaces an invalid one
          duplicates.add(key.id());
        }
        Place place = places.get(key.id());
        if (place == null) {
          absent.add(key.id());
          out.set(row);
        } else if (!place.key().hasTargets()) {
          withoutTargets.add(key.id());
          out.set(row);
        } else if (!place.key().sameText(key)) {
          otherText.add(key.id());
        } else if (place.key().tokens() != key.tokens()) {
          otherTokens.add(key.id());
        } else {
          within.set(place.shard());
        }
        before = key;
        row++;
      }
      rows += row;
      shards.add(within);
      missing.add(out);
    }
    reject(
        duplicates, format("rows of cache '%s' have the same key as another row", cache), UNIQUE);
    reject(
        otherText,
        format("rows of cache '%s' have a different text in cache '%s'", cache, otherCache),
        "the caches have different corpora: cache the first one's corpus, or set corpus.id to a"
            + " column of both");
    reject(
        otherTokens,
        format(
            "rows of cache '%s' have different token ids or masks in cache '%s', but the student"
                + " compares targets of tokens",
            cache, otherCache),
        "cache them with the same corpus.max-length and cache.seed, or use only the soft-label term"
            + " of this teacher");
    return new RowJoin(shards, missing, rows, List.copyOf(absent), List.copyOf(withoutTargets));
  }

  /**
   * Returns the rows of a cache by their keys.
   *
   * @throws io.stillhouse.error.StillhouseException if two rows have the same key
   */
  static Map<String, Place> places(int shards, Keys keys, String cache) throws IOException {
    Map<String, Place> places = new HashMap<>();
    List<String> duplicates = new ArrayList<>();
    for (int shard = 0; shard < shards; shard++) {
      for (RowKey key : keys.of(shard)) {
        if (places.put(key.id(), new Place(shard, key)) != null) {
          duplicates.add(key.id());
        }
      }
    }
    reject(
        duplicates, format("rows of cache '%s' have the same key as another row", cache), UNIQUE);
    return places;
  }

  private static void reject(List<String> keys, String what, String fix) {
    if (!keys.isEmpty()) {
      throw Errors.invalid(format("%,d %s (%s)", keys.size(), what, abbreviate(keys)), fix);
    }
  }

  private static String abbreviate(List<String> keys) {
    return keys.size() <= SHOWN
        ? String.join(", ", keys)
        : String.join(", ", keys.subList(0, SHOWN)) + ", …";
  }

  /** Describes how many rows have no targets in the other cache, with some keys; "" if all have. */
  public String missingInWords(String cache, String otherCache) {
    List<String> what = new ArrayList<>();
    if (!absent.isEmpty()) {
      what.add(
          format("%,d are not in cache '%s' (%s)", absent.size(), otherCache, abbreviate(absent)));
    }
    if (!withoutTargets.isEmpty()) {
      what.add(
          format(
              "%,d have no targets in cache '%s' (%s)",
              withoutTargets.size(), otherCache, abbreviate(withoutTargets)));
    }
    return what.isEmpty()
        ? ""
        : format("of %,d rows of cache '%s' %s", rows, cache, String.join(" and ", what));
  }

  /** Returns the largest number of the other cache's shards that hold the rows of one shard. */
  public int maxShards() {
    return shards.stream().mapToInt(BitSet::cardinality).max().orElse(0);
  }
}
