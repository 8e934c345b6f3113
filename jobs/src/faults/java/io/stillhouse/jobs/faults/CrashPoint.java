package io.stillhouse.jobs.faults;

import static io.stillhouse.error.Text.format;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The points at which a process can end itself, as if killed, so that the fault tests hit the
 * moments that random kills miss.
 *
 * <p>{@code STILLHOUSE_CRASH_AT=written:3} ends the process when it reaches {@link #WRITTEN} for
 * the third time. If {@code STILLHOUSE_CRASH_ONCE} is a path, only the first of all processes that
 * reach the point ends, and creates that file. Without the first variable, nothing happens.
 */
enum CrashPoint {
  /** A task has ended; no manifest entry names its files yet. */
  FINISHED,
  /** A manifest entry is on disk under its temporary name. */
  WRITTEN,
  /** A manifest entry has its final name. */
  PUBLISHED,
  /** A plan is complete; its directory does not have the cache's name yet. */
  PLANNED,
  /** The inputs of new files are in a cache; no manifest entry names them yet. */
  GROWN,
  /** A worker has taken its steps of a round; its difference has not been sent yet. */
  MAPPED,
  /**
   * An executor has added up the workers' differences of a round; the driver does not have the sum
   * yet.
   */
  SUMMING,
  /** The driver has the sum of a round; no checkpoint contains it yet. */
  SUMMED,
  /** A checkpoint or a finished student is complete under its temporary name. */
  COPIED;

  private static final String AT = System.getenv("STILLHOUSE_CRASH_AT");
  private static final String ONCE = System.getenv("STILLHOUSE_CRASH_ONCE");
  private static final Map<CrashPoint, AtomicInteger> TIMES = new EnumMap<>(CrashPoint.class);

  static {
    for (CrashPoint point : values()) {
      TIMES.put(point, new AtomicInteger());
    }
  }

  /** Ends this process if the environment selects this point and time. */
  void reached() {
    if (AT == null) {
      return;
    }
    int time = TIMES.get(this).incrementAndGet();
    if (AT.equals(format("%s:%d", name().toLowerCase(Locale.ROOT), time)) && isFirst()) {
      Runtime.getRuntime().halt(137);
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
