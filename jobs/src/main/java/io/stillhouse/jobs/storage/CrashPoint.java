package io.stillhouse.jobs.storage;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Where a process can be made to end at once, as if killed, so that cluster/faults hits the moments
 * that random kills miss: {@code STILLHOUSE_CRASH_AT=written:3} ends it when it has written a
 * manifest entry, not yet named, for the third time; with {@code STILLHOUSE_CRASH_ONCE} a path too,
 * only the first process of all that see it, which leaves a file there. Without the first variable
 * nothing happens.
 */
public enum CrashPoint {
  /** A task has ended; its files are in no manifest entry. */
  FINISHED,
  /** A manifest entry is on disk under its temporary name. */
  WRITTEN,
  /** It bears its own name. */
  PUBLISHED,
  /** A plan is complete; its directory does not bear the cache's name. */
  PLANNED,
  /** The inputs of new files are in a cache; no manifest entry names them. */
  GROWN,
  /** A worker's steps of a round are taken; nobody has its difference. */
  MAPPED,
  /** The workers' differences of a round lie with their executors; their sum is begun. */
  SUMMING,
  /** The driver has the sum of a round; no checkpoint has it. */
  SUMMED,
  /** A file is whole under its temporary name: a checkpoint, or a finished student. */
  COPIED;

  private static final String AT = System.getenv("STILLHOUSE_CRASH_AT");
  private static final String ONCE = System.getenv("STILLHOUSE_CRASH_ONCE");
  private static final Map<CrashPoint, AtomicInteger> TIMES = new EnumMap<>(CrashPoint.class);

  static {
    for (CrashPoint point : values()) {
      TIMES.put(point, new AtomicInteger());
    }
  }

  public void reached() {
    if (AT != null) {
      int time = TIMES.get(this).incrementAndGet();
      if (AT.equals("%s:%d".formatted(name().toLowerCase(Locale.ROOT), time)) && isFirst()) {
        Runtime.getRuntime().halt(137);
      }
    }
  }

  private static boolean isFirst() {
    try {
      return ONCE == null || new File(ONCE).createNewFile();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
