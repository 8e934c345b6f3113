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

/** Puts a recipe's prices and the probe's figures into the formulas. */
record Forecast(
    Settings settings,
    EncoderSpec teacherSpec,
    TargetChoice choice,
    TargetSizes sizes,
    TeacherProbe.Teacher teacher,
    StudentProbe.Student student) {

  /**
   * Times besides the models'.
   *
   * @param session seconds from a command's start to its work
   * @param planning seconds of reading and tokenising the corpus
   * @param phases seconds of the probe's phases
   */
  record Around(double session, double planning, Map<String, Double> phases) {}

  /** Free bytes, and bytes a second of decoding from memory and of the disk alone. */
  record Disk(double free, double decoding, double rate) {}

  PlanResult result(DistillSpec loss, Around around, Disk disk, String corpusBasis) {
    Lengths corpus = sizes.corpus();
    double bytes = cacheBytes();
    Economics economics = economics(around, disk);
    double mask = settings.get(Options.MASK_PROBABILITY);
    double besideTensors = bytes - sizes.tensors(choice, choice, teacherSpec, mask);
    int shards = sizes.shards(settings.get(Options.SHARD_TOKENS));
    return new PlanResult(
        new PlanResult.Probe(
            corpus,
            corpusBasis,
            around.phases(),
            teacher.rate(),
            teacher.lengths().tokens(),
            students(),
            disk.decoding(),
            finite(disk.rate())),
        new PlanResult.Disk(
            bytes,
            bytes / corpus.tokens(),
            teacher.bytes().teacher(),
            disk.free(),
            shards * (1 + choice.columns().size()),
            shards),
        new PlanResult.Hours(
            economics.cacheHours(), economics.cachedTrainHours(), economics.onlineHours()),
        new PlanResult.Money(
            economics.cachedCost(), economics.onlineCost(), economics.storageCost()),
        new PlanResult.BreakEven(
            finite(economics.breakEvenReads()),
            economics.work().reads(),
            economics.breakEvenBytesPerToken(),
            economics.student().bytesPerToken()),
        economics.limit(),
        Choices.of(settings, teacherSpec, loss, sizes, besideTensors),
        unread(),
        economics.verdict());
  }

  private double cacheBytes() {
    return sizes.cache(settings.get(Options.SHARD_TOKENS), teacher.shards());
  }

  private Economics economics(Around around, Disk disk) {
    double tokens = sizes.corpus().tokens();
    double reading =
        fits(cacheBytes()) ? disk.decoding() : 1 / (1 / disk.decoding() + 1 / disk.rate());
    return new Economics(
        new Economics.Work(tokens, settings.get(Options.PLAN_STUDENTS), passes()),
        new Economics.Teacher(
            teacher.rate(),
            teacher.passSeconds(tokens, settings.get(Options.SHARD_TOKENS)),
            around.session() + teacher.startSeconds() + around.planning()),
        new Economics.Student(
            student.seconds(steps(), passes() * tokens),
            around.session() + student.startSeconds(),
            sizes.read(student.columns()) / tokens,
            reading),
        cacheBytes(),
        new Economics.Prices(
            settings.get(Options.PLAN_PRICE),
            settings.get(Options.PLAN_STORAGE_PRICE),
            settings.get(Options.PLAN_MONTHS)));
  }

  private TrainSpec train() {
    return Recipe.train(settings, 1); // threads do not matter here
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

  /** Returns whether the system's memory can hold the cache, so that a disk is read but once. */
  private static boolean fits(double bytes) {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return bytes < system.getTotalMemorySize() / 2.0;
  }

  private static @Nullable Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
