package io.stillhouse.jobs.plan;

/**
 * What caching and online training cost. Rates are of all the session's machines together; online
 * training runs the teacher in every step and stores nothing.
 *
 * @param tokens of one pass over the corpus, masked variants included
 * @param reads how often training reads each token, all students together
 * @param rates measured speeds
 * @param bytes of the cache
 * @param prices of time and storage
 */
record Economics(double tokens, double reads, Rates rates, double bytes, Prices prices) {
  private static final double TERABYTE = 1e12;
  private static final double HOUR = 3600;

  /** Teacher and student in tokens a second, reading in bytes a second. */
  record Rates(double teacher, double student, double read) {}

  /**
   * Prices, in one currency.
   *
   * @param hour of the session's machines
   * @param terabyteMonth of storage
   * @param months the cache is kept
   */
  record Prices(double hour, double terabyteMonth, double months) {}

  /** Returns seconds of online training for one token read. */
  double onlineSecondsPerToken() {
    return 1 / rates.teacher() + 1 / rates.student();
  }

  /** Returns seconds of training from the cache for one token read, which prefetching hides. */
  double cachedSecondsPerToken() {
    return Math.max(1 / rates.student(), bytes / tokens / rates.read());
  }

  /** Returns hours of the teacher's one pass. */
  double teacherHours() {
    return tokens / rates.teacher() / HOUR;
  }

  /** Returns hours of training from the cache. */
  double cachedTrainHours() {
    return reads * tokens * cachedSecondsPerToken() / HOUR;
  }

  /** Returns hours of online training. */
  double onlineHours() {
    return reads * tokens * onlineSecondsPerToken() / HOUR;
  }

  /** Returns the price of keeping the cache. */
  double storageCost() {
    return bytes * prices.terabyteMonth() * prices.months() / TERABYTE;
  }

  /** Returns the price of the teacher's pass, storage and training from the cache. */
  double cachedCost() {
    return (teacherHours() + cachedTrainHours()) * prices.hour() + storageCost();
  }

  /** Returns the price of online training. */
  double onlineCost() {
    return onlineHours() * prices.hour();
  }

  /** Returns the reads from which on the cache is cheaper; infinite if it never is. */
  double breakEvenReads() {
    double saved =
        tokens * (onlineSecondsPerToken() - cachedSecondsPerToken()) / HOUR * prices.hour();
    return saved <= 0
        ? Double.POSITIVE_INFINITY
        : (teacherHours() * prices.hour() + storageCost()) / saved;
  }

  /** Returns the bytes a token below which reading is faster than running the teacher. */
  double breakEvenBytesPerToken() {
    return rates.read() * onlineSecondsPerToken();
  }

  boolean cacheIsCheaper() {
    return cachedCost() < onlineCost();
  }

  /** Returns what takes most of the time of caching and training from the cache. */
  String limit() {
    if (bytes / tokens / rates.read() > 1 / rates.student()) {
      return "read rate";
    }
    return teacherHours() > cachedTrainHours() ? "teacher compute" : "student compute";
  }
}
