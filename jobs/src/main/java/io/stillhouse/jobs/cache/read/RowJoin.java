package io.stillhouse.jobs.cache.read;

import io.stillhouse.error.Errors;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where the rows of one cache lie in another, by their keys. All keys are in memory while it is
 * made: some hundred bytes a row.
 *
 * @param shards by shard of the first cache, the shards of the other that hold its rows
 * @param missing by shard of the first cache, the places of rows that have no targets in the other
 * @param rows of the first cache
 * @param absent keys of rows that the other lacks
 * @param untaught keys of rows that have a status there instead of targets
 */
public record RowJoin(
    List<BitSet> shards,
    List<BitSet> missing,
    long rows,
    List<String> absent,
    List<String> untaught) {
  private static final int SHOWN = 5;
  private static final String UNIQUE = "set corpus.id to a column of unique values, and cache anew";

  private record Place(int shard, RowKey key) {}

  /**
   * Joins two caches.
   *
   * @param first as a training reads it
   * @param cache its name in messages, and {@code otherCache} the other's
   * @param with what must be equal of rows of one key
   * @throws io.stillhouse.error.StillhouseException if a key is not one row's, or stands for
   *     another text in the other cache, or for other tokens where these are read
   */
  public static RowJoin of(
      KeyedRows first, String cache, CacheReader other, String otherCache, RowKey.With with)
      throws IOException {
    Map<String, Place> places = places(other, otherCache, with);
    List<BitSet> shards = new ArrayList<>();
    List<BitSet> missing = new ArrayList<>();
    List<String> absent = new ArrayList<>();
    List<String> untaught = new ArrayList<>();
    List<String> twice = new ArrayList<>();
    List<String> otherText = new ArrayList<>();
    List<String> otherTokens = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    long rows = 0;
    for (int shard = 0; shard < first.shardRows().size(); shard++) {
      BitSet within = new BitSet();
      BitSet out = new BitSet();
      RowKey before = null;
      int row = 0;
      for (RowKey key : first.keys(shard, with)) {
        if (key != before && !seen.add(key.id())) { // a row without targets has the one before it
          twice.add(key.id());
        }
        Place place = places.get(key.id());
        if (place == null) {
          absent.add(key.id());
          out.set(row);
        } else if (!place.key().taught()) {
          untaught.add(key.id());
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
    refuse(twice, "rows of cache '%s' have a key that another has".formatted(cache), UNIQUE);
    refuse(
        otherText,
        "rows of cache '%s' have another text in cache '%s'".formatted(cache, otherCache),
        "the caches are not of one corpus: cache that of the first, or set corpus.id to a column of"
            + " both");
    refuse(
        otherTokens,
        "rows of cache '%s' have other token ids, or other masks, in cache '%s', and targets of tokens are compared"
            .formatted(cache, otherCache),
        "cache them with the same corpus.max-length and train.seed, or leave all but soft-label out"
            + " of this teacher's terms");
    return new RowJoin(shards, missing, rows, List.copyOf(absent), List.copyOf(untaught));
  }

  private static Map<String, Place> places(CacheReader reader, String cache, RowKey.With with)
      throws IOException {
    Map<String, Place> places = new HashMap<>();
    List<String> twice = new ArrayList<>();
    for (int shard = 0; shard < reader.shardRows().size(); shard++) {
      for (RowKey key : reader.allKeys(shard, with)) {
        if (places.put(key.id(), new Place(shard, key)) != null) {
          twice.add(key.id());
        }
      }
    }
    refuse(twice, "rows of cache '%s' have a key that another has".formatted(cache), UNIQUE);
    return places;
  }

  private static void refuse(List<String> keys, String what, String mend) {
    if (!keys.isEmpty()) {
      throw Errors.invalid("%,d %s (%s)".formatted(keys.size(), what, shown(keys)), mend);
    }
  }

  private static String shown(List<String> keys) {
    return keys.size() <= SHOWN
        ? String.join(", ", keys)
        : String.join(", ", keys.subList(0, SHOWN)) + ", …";
  }

  /** Returns how many rows have no targets in the other cache, and which; "" if there are none. */
  public String missingInWords(String cache, String otherCache) {
    List<String> what = new ArrayList<>();
    if (!absent.isEmpty()) {
      what.add(
          "%,d are not in cache '%s' (%s)".formatted(absent.size(), otherCache, shown(absent)));
    }
    if (!untaught.isEmpty()) {
      what.add(
          "%,d have no targets in cache '%s' (%s)"
              .formatted(untaught.size(), otherCache, shown(untaught)));
    }
    return what.isEmpty()
        ? ""
        : "of %,d rows of cache '%s' %s".formatted(rows, cache, String.join(" and ", what));
  }

  /** Returns the most shards of the other cache among which the rows of one shard lie. */
  public int mostShards() {
    return shards.stream().mapToInt(BitSet::cardinality).max().orElse(0);
  }
}
