package io.stillhouse.jobs.cache;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Where a process can be made to end at once, as if killed, so that cluster/faults hits the moments
 * that random kills miss: {@code STILLHOUSE_CRASH_AT=written:3} ends it when it has written a
 * manifest entry, not yet named, for the third time. Without that variable nothing happens.
 */
enum CrashPoint {
  /** A task has ended; its files are in no manifest entry. */
  FINISHED,
  /** A manifest entry is on disk under its temporary name. */
  WRITTEN,
  /** It bears its own name. */
  PUBLISHED,
  /** A plan is complete; its directory does not bear the cache's name. */
  PLANNED,
  /** The inputs of new files are in a cache; no manifest entry names them. */
  GROWN;

  private static final String AT = System.getenv("STILLHOUSE_CRASH_AT");
  private static final Map<CrashPoint, AtomicInteger> TIMES = new EnumMap<>(CrashPoint.class);

  static {
    for (CrashPoint point : values()) {
      TIMES.put(point, new AtomicInteger());
    }
  }

  void reached() {
    if (AT != null) {
      int time = TIMES.get(this).incrementAndGet();
      if (AT.equals("%s:%d".formatted(name().toLowerCase(Locale.ROOT), time))) {
        Runtime.getRuntime().halt(137);
      }
    }
  }
}
