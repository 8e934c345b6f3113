package io.stillhouse.jobs.spark;

import java.util.LinkedHashMap;
import java.util.Map;

/** Bounded maps of small values that need not be closed. */
final class LeastRecentlyUsed {
  private LeastRecentlyUsed() {}

  /** Returns a map that drops the entry used least recently when it has more than a capacity. */
  static <K, V> Map<K, V> map(int capacity) {
    return new LinkedHashMap<>(16, 0.75f, true) {
      @Override
      protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
        return size() > capacity;
      }
    };
  }
}
