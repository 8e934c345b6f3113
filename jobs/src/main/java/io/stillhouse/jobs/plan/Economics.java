package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

/**
 * The cost of caching and of online training. Online training runs the teacher in every step and
 * stores nothing. Both train the same students and baselines. Hours are for all of the session's
 * machines together, including start-up.
 *
 * @param work the work to do
 * @param teacher the teacher's speed
 * @param student the student's speed
 * @param bytes size of the cache
 * @param prices prices of time and storage
 */
record Economics(Work work, Teacher teacher, Student student, double bytes, Prices prices) {
  private static final double TERABYTE = 1e12;
  private static final double HOUR = 3600;

  /**
   * What is to be done.
   *
   * @param tokens tokens of one pass, including masked variants
   * @param students number of students, each with its baseline if the recipe has baselines
   * @param passes passes of one student over the tokens; less than 1 if its steps end earlier
   */
  record Work(double tokens, int students, double passes) {
    /** Returns how often each token is read. */
    double reads() {
      return students * passes;
    }
  }

  /**
   * The teacher's speed.
   *
   * @param tokensPerSecond tokens per second of all machines together
   * @param passSeconds seconds of one pass, whose tasks run in waves
   * @param startSeconds seconds of the cache command outside that pass
   */
  record Teacher(double tokensPerSecond, double passSeconds, double startSeconds) {}

  /**
   * The student's speed.
   *
   * @param stepSeconds seconds of all steps of one student and its baseline, without reading
   * @param startSeconds seconds of the training outside its steps
   * @param bytesPerToken bytes per token that it reads
   * @param bytesPerSecond bytes per second that it can read
   */
  record Student(
      double stepSeconds, double startSeconds, double bytesPerToken, double bytesPerSecond) {}

  /**
   * Prices, in one currency.
   *
   * @param hour price of an hour of the session's machines
   * @param terabyteMonth price of storing a terabyte for a month
   * @param months months that the cache is kept
   */
  record Prices(double hour, double terabyteMonth, double months) {}

  double cacheHours() {
    return (teacher.startSeconds() + teacher.passSeconds()) / HOUR;
  }

  /** Returns the hours that all students spend reading, which they do between their steps. */
  double readHours() {
    return work.reads() * work.tokens() * readSecondsPerToken() / HOUR;
  }

  private double readSecondsPerToken() {
    return student.bytesPerToken() / student.bytesPerSecond();
  }

  private double stepHours() {
    return work.students() * student.stepSeconds() / HOUR;
  }

  private double startHours() {
    return work.students() * student.startSeconds() / HOUR;
  }

  /** Returns the hours of training all students from the cache. */
  double cachedTrainHours() {
    return startHours() + stepHours() + readHours();
  }

  /** Returns the hours of training all students with a live teacher. */
  double onlineHours() {
    return startHours()
        + stepHours()
        + work.reads() * work.tokens() / teacher.tokensPerSecond() / HOUR;
  }

  double storageCost() {
    return bytes * prices.terabyteMonth() * prices.months() / TERABYTE;
  }

  /** Returns the cost of the teacher's pass, of storage, and of training from the cache. */
  double cachedCost() {
    return (cacheHours() + cachedTrainHours()) * prices.hour() + storageCost();
  }

  double onlineCost() {
    return onlineHours() * prices.hour();
  }

  /**
   * Returns R*, the number of reads of each token above which the cache is cheaper: its cost
   * divided by what each read saves. Infinite if reading takes longer than running the teacher.
   */
  double breakEvenReads() {
    double saved = work.tokens() * (1 / teacher.tokensPerSecond() - readSecondsPerToken()) / HOUR;
    return saved <= 0
        ? Double.POSITIVE_INFINITY
        : (cacheHours() * prices.hour() + storageCost()) / (saved * prices.hour());
  }

  /** Returns b*, the bytes per token below which reading is faster than running the teacher. */
  double breakEvenBytesPerToken() {
    return student.bytesPerSecond() / teacher.tokensPerSecond();
  }

  boolean cacheIsCheaper() {
    return cachedCost() < onlineCost();
  }

  /** Returns the largest part of the cost of caching and training from the cache. */
  String limit() {
    double hour = prices.hour();
    double largest =
        Math.max(
            Math.max(cacheHours() * hour, stepHours() * hour),
            Math.max(readHours() * hour, storageCost()));
    if (largest == storageCost()) {
      return "storage price";
    }
    if (largest == readHours() * hour) {
      return "read rate";
    }
    return largest == stepHours() * hour ? "student compute" : "teacher compute";
  }

  /** Returns whether to cache, and the figures that decide it. */
  String verdict() {
    String costs =
        format(
            "%.4f cached (storage %.4f) against %.4f online",
            cachedCost(), storageCost(), onlineCost());
    String reads =
        format(
            "each token is read %.2f times, break-even is at %.2f", work.reads(), breakEvenReads());
    if (cacheIsCheaper()) {
      return format("cache: %s; %s", costs, reads);
    }
    String reason =
        Double.isInfinite(breakEvenReads())
            ? format(
                "reading %,.0f bytes per token takes longer than running the teacher; below %,.0f"
                    + " it would not",
                student.bytesPerToken(), breakEvenBytesPerToken())
            : reads;
    return format("do not cache: %s; %s", costs, reason);
  }
}
