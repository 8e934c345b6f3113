package io.stillhouse.jobs.plan;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import java.util.Locale;

/**
 * What a recipe is foretold to cost.
 *
 * @param bytesPerToken on disk, and {@code bytesPerUnit} besides for each unit's files
 * @param diskBytes of targets, inputs, manifest and the teacher's copy
 */
public record PlanResult(
    Measured measured,
    double bytesPerToken,
    double bytesPerUnit,
    long cacheBytes,
    long diskBytes,
    Hours hours,
    Money money,
    double breakEvenReads,
    double reads,
    String limit,
    String verdict) {

  /** The probe; {@code share} is how much of the corpus was tokenised, rates are per second. */
  record Measured(
      double rows,
      double tokens,
      double share,
      double teacher,
      double teacherStart,
      Probe.Trained trained,
      double read) {}

  /** Hours of all the session's machines, start-up included. */
  record Hours(double teacher, double cachedTraining, double onlineTraining) {}

  /** Prices both ways, in the recipe's currency. */
  record Money(double cached, double online, double storage) {}

  static PlanResult of(Settings settings, Measured measured, Probe.Cached small, Probe.Cached big) {
    double perToken =
        big.tokens() > small.tokens() && big.units() == small.units()
            ? (double) (big.bytes() - small.bytes()) / (big.tokens() - small.tokens())
            : (double) big.bytes() / big.tokens();
    double perUnit = Math.max(0, (big.bytes() - perToken * big.tokens()) / big.units());
    double units = Math.ceil(measured.tokens() / settings.get(Options.UNIT_TOKENS));
    double bytes = perToken * measured.tokens() + perUnit * units;
    double steps =
        Math.ceil(measured.rows() / settings.get(Options.ROWS_PER_STEP))
            * settings.get(Options.EPOCHS);
    int most = settings.get(Options.MAX_STEPS);
    double epochs = (most > 0 ? Math.min(1, most / steps) : 1) * settings.get(Options.EPOCHS);
    double reads = epochs * settings.get(Options.PLAN_STUDENTS);
    boolean inTurn = settings.get(Options.STUDENT_DROPOUT) > 0;
    double secondsPerToken = 0;
    for (var student : measured.trained().students()) {
      double own = 1 / student.speed().tokensPerSecond();
      secondsPerToken = inTurn ? secondsPerToken + own : Math.max(secondsPerToken, own);
    }
    Economics economics =
        new Economics(
            measured.tokens(),
            reads,
            new Economics.Rates(measured.teacher(), 1 / secondsPerToken, measured.read()),
            bytes,
            new Economics.Prices(
                settings.get(Options.PLAN_PRICE),
                settings.get(Options.PLAN_STORAGE_PRICE),
                settings.get(Options.PLAN_MONTHS)));
    String verdict =
        economics.cacheIsCheaper()
            ? "cache: %.4f against %.4f online"
                .formatted(economics.cachedCost(), economics.onlineCost())
            : "do not cache, train online: %.4f against %.4f cached (storage %.4f); %.2f reads, break-even at %.2f"
                .formatted(
                    economics.onlineCost(),
                    economics.cachedCost(),
                    economics.storageCost(),
                    reads,
                    economics.breakEvenReads());
    double around = measured.trained().startSeconds() / 3600;
    return new PlanResult(
        measured,
        perToken,
        perUnit,
        Math.round(bytes),
        Math.round(bytes) + big.teacher(),
        new Hours(
            economics.teacherHours() + measured.teacherStart() / 3600,
            economics.cachedTrainHours() + around,
            economics.onlineHours() + around),
        new Money(economics.cachedCost(), economics.onlineCost(), economics.storageCost()),
        economics.breakEvenReads(),
        reads,
        economics.limit(),
        verdict);
  }

  /** Returns the table for people. */
  public String table() {
    return String.format(
        Locale.ROOT,
        """
        corpus            %,.0f rows, %,.0f tokens (%.0f %% of it tokenised)
        teacher           %,.0f tokens/s, after %.1f s of start-up
        student           %s
        reading           %,.0f bytes/s
        cache             %,d bytes: %,.0f a token and %,.0f a unit; %,d with the teacher
        teacher's pass    %.4f h
        training, cached  %.4f h
        training, online  %.4f h
        money             %.4f cached (storage %.4f), %.4f online
        reads             %.2f; the cache is cheaper from %.2f on
        limit             %s
        verdict           %s
        """,
        measured.rows(),
        measured.tokens(),
        100 * measured.share(),
        measured.teacher(),
        measured.teacherStart(),
        measured.trained().students().stream()
            .map(s -> "%s %,.0f tokens/s".formatted(s.name(), s.speed().tokensPerSecond()))
            .toList(),
        measured.read(),
        cacheBytes,
        bytesPerToken,
        bytesPerUnit,
        diskBytes,
        hours.teacher(),
        hours.cachedTraining(),
        hours.onlineTraining(),
        money.cached(),
        money.storage(),
        money.online(),
        reads,
        breakEvenReads,
        limit,
        verdict);
  }
}
