package io.stillhouse.jobs.plan;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.TargetChoice;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Predicts the cost of a recipe from its prices and the probe's measurements.
 *
 * @param choice the targets that the recipe stores
 * @param sizes sizes of the targets of the whole corpus
 */
record Forecast(
    Settings settings,
    EncoderSpec teacherSpec,
    TargetChoice choice,
    TargetSizes sizes,
    TeacherProbe.Teacher teacher,
    StudentProbe.Student student) {

  /**
   * Seconds during which no model runs.
   *
   * @param session seconds from the start of a command to the start of its work
   * @param planning seconds of reading and tokenizing the corpus
   * @param phases seconds of each phase of the probe
   */
  record Overhead(double session, double planning, Map<String, Double> phases) {}

  /**
   * The disk of the cache.
   *
   * @param free free bytes
   * @param decoding bytes per second of reading and decoding targets from the page cache
   * @param rate bytes per second of the disk alone; infinite if it could not be measured
   */
  record Disk(double free, double decoding, double rate) {}

  /**
   * Returns the prediction.
   *
   * @param corpusBasis how the size of the corpus was determined
   */
  PlanResult result(DistillSpec loss, Overhead overhead, Disk disk, String corpusBasis) {
    Lengths corpus = sizes.corpus();
    double bytes = cacheBytes();
    Economics economics = economics(overhead, disk);
    double mask = settings.get(Options.MASK_PROBABILITY);
    double otherBytes = bytes - sizes.tensors(choice, choice, teacherSpec, mask);
    int shards = sizes.shards(settings.get(Options.SHARD_TOKENS));
    return new PlanResult(
        new PlanResult.Probe(
            corpus,
            corpusBasis,
            overhead.phases(),
            new PlanResult.Teacher(teacher.speed().rate(), teacher.cache().lengths().tokens()),
            students(),
            new PlanResult.Reading(disk.decoding(), finite(disk.rate()))),
        new PlanResult.Disk(
            bytes,
            bytes / corpus.tokens(),
            teacher.cache().bytes().teacher(),
            disk.free(),
            shards * (1 + choice.columns().size()),
            shards),
        new PlanResult.Hours(
            economics.cacheHours(), economics.cachedTrainHours(), economics.onlineHours()),
        new PlanResult.Cost(
            economics.cachedCost(),
            economics.onlineCost(),
            economics.storageCost(),
            economics.limit()),
        new PlanResult.BreakEven(
            finite(economics.breakEvenReads()),
            economics.work().reads(),
            economics.breakEvenBytesPerToken(),
            economics.student().bytesPerToken()),
        new PlanResult.Targets(
            Choices.of(settings, teacherSpec, loss, sizes, otherBytes), unread()),
        economics.verdict());
  }

  private double cacheBytes() {
    return sizes.cache(settings.get(Options.SHARD_TOKENS), teacher.cache().shards());
  }

  private Economics economics(Overhead overhead, Disk disk) {
    double tokens = sizes.corpus().tokens();
    double reading =
        fits(cacheBytes()) ? disk.decoding() : 1 / (1 / disk.decoding() + 1 / disk.rate());
    return new Economics(
        new Economics.Work(tokens, settings.get(Options.PLAN_STUDENTS), passes()),
        new Economics.Teacher(
            teacher.speed().rate(),
            teacher.speed().passSeconds(tokens, settings.get(Options.SHARD_TOKENS)),
            overhead.session() + teacher.startSeconds() + overhead.planning()),
        new Economics.Student(
            student.seconds(steps(), passes() * tokens),
            overhead.session() + student.startSeconds(),
            sizes.read(student.columns()) / tokens,
            reading),
        cacheBytes(),
        new Economics.Prices(
            settings.get(Options.PLAN_PRICE),
            settings.get(Options.PLAN_STORAGE_PRICE),
            settings.get(Options.PLAN_MONTHS)));
  }

  private TrainSpec train() {
    return Recipe.train(settings, 1); // the number of threads does not matter here
  }

  private long trainedRows() {
    return Math.round(sizes.corpus().sound());
  }

  private long steps() {
    return train().steps(trainedRows());
  }

  private double passes() {
    return (double) steps() / train().stepsPerEpoch(trainedRows());
  }

  private List<PlanResult.Student> students() {
    double tokens = passes() * sizes.corpus().tokens() / steps();
    return student.speeds().stream()
        .map(s -> new PlanResult.Student(s.name(), tokens / s.seconds(1, tokens), steps()))
        .toList();
  }

  private List<String> unread() {
    return choice.all().stream()
        .filter(column -> !student.columns().contains(column))
        .map(Column::name)
        .toList();
  }

  /** Returns whether the page cache can hold the cache, so that the disk is read only once. */
  private static boolean fits(double bytes) {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return bytes < system.getTotalMemorySize() / 2.0;
  }

  private static @Nullable Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
