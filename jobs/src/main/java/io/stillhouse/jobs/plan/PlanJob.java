package io.stillhouse.jobs.plan;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.CacheJob;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.cache.TargetRecipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.TargetChoice;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Foretells what a recipe costs, from a probe on its own text. It leaves {@code plan.output} and
 * nothing else, and nothing at all where it refuses.
 */
public final class PlanJob {
  /** How much more room than the cache takes the disk must have. */
  private static final double ROOM = 1.2;

  /** What compression leaves of computed bytes at least, for a first look at the room. */
  private static final double COMPRESSED = 0.7;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final FreeSpace free;
  private final ModelSpec teacher;
  private final DistillSpec loss;
  private final double sessionSeconds;

  /** Bytes that a file system has left at an existing path. */
  interface FreeSpace {
    long at(Path path) throws IOException;
  }

  /**
   * Checks the recipe; nothing is written or run yet.
   *
   * @throws io.stillhouse.error.StillhouseException as the cache's and the training's own checks
   */
  public PlanJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, settings, null);
  }

  PlanJob(SparkSession spark, Settings settings, FreeSpace free) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.free =
        free == null ? path -> storage.fileSystem(path).getStatus(path).getRemaining() : free;
    new CacheJob(spark, settings);
    Path given = storage.requireExisting(Options.TEACHER.key(), settings.get(Options.TEACHER));
    this.teacher = HuggingFaceDirectory.open(storage.local(given)).spec();
    this.loss = Recipe.loss(settings, Recipe.student(settings, teacher), teacher);
    this.sessionSeconds =
        (System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime()) / 1e3;
  }

  /**
   * Measures, computes and writes the result.
   *
   * @throws io.stillhouse.error.StillhouseException if the disk has not 1.2 times the room, or
   *     {@code plan.seconds} do not suffice
   */
  public PlanResult run() throws IOException {
    PlanResult result;
    try (Scratch scratch = Scratch.open(storage, cache);
        Deadline deadline = new Deadline(spark, settings.get(Options.PLAN_SECONDS))) {
      result = measure(scratch, deadline);
    }
    storage.writeJson(
        storage.qualify(settings.get(Options.PLAN_OUTPUT)),
        Map.of("result", result, "recipe", settings.inForce()));
    return result;
  }

  private PlanResult measure(Scratch scratch, Deadline deadline) throws IOException {
    CorpusSample sample =
        deadline.run("the corpus was sampled", () -> CorpusSample.draw(spark, settings, scratch));
    Path inputs = scratch.path("inputs");
    double planning =
        deadline.run("the sample was tokenised", () -> writeInputs(scratch, sample, inputs));
    Lengths sampled = Lengths.of(spark, inputs);
    Lengths corpus = sampled.times(sample.times());
    requireTokens(sampled);
    StoredBytes inputBytes = StoredBytes.of(storage, inputs);
    TargetChoice choice = TargetRecipe.choice(settings, teacher);
    TargetSizes before = new TargetSizes(inputBytes, sampled, inputBytes, sampled, corpus);
    double computed =
        choice.all().stream()
            .mapToDouble(c -> before.computed(c, choice, teacher, maskProbability()))
            .sum();
    requireRoom("at least ", COMPRESSED * computed);

    TeacherProbe.Teacher measured =
        new TeacherProbe(spark, settings, storage, scratch)
            .run(sample, sampled.tokens(), corpus.tokens(), deadline);
    TargetSizes sizes =
        new TargetSizes(measured.bytes(), measured.lengths(), inputBytes, sampled, corpus);
    int units = (int) Math.ceil(corpus.tokens() / settings.get(Options.UNIT_TOKENS));
    double bytes = sizes.cache(measured.units(), units);
    double free = requireRoom("", bytes + measured.bytes().teacher());

    StudentProbe.Student student =
        new StudentProbe(spark, settings, storage, scratch)
            .run(measured.cache(), corpus.tokens() / corpus.sound(), deadline);
    double decoding =
        deadline.run(
            "targets were read",
            () ->
                ReadProbe.decoding(
                    spark,
                    measured.cache(),
                    student.columns(),
                    sizes.readOfProbe(student.columns())));
    double disk = ReadProbe.disk(new Path(measured.cache(), "teacher/model.safetensors"));
    double reading = fits(bytes) ? decoding : 1 / (1 / decoding + 1 / disk);

    TrainSpec train = Recipe.train(settings, 1);
    long steps = train.steps(Math.round(corpus.sound()));
    double passes = (double) steps / train.stepsPerEpoch(Math.round(corpus.sound()));
    Economics economics =
        new Economics(
            new Economics.Work(corpus.tokens(), settings.get(Options.PLAN_STUDENTS), passes),
            new Economics.Teacher(
                measured.rate(),
                measured.passSeconds(corpus.tokens(), settings.get(Options.UNIT_TOKENS)),
                sessionSeconds + measured.startSeconds() + planning * Math.max(1, sample.times())),
            new Economics.Student(
                student.seconds(steps, passes * corpus.tokens()),
                sessionSeconds + student.startSeconds(),
                sizes.read(student.columns()) / corpus.tokens(),
                reading),
            bytes,
            new Economics.Prices(
                settings.get(Options.PLAN_PRICE),
                settings.get(Options.PLAN_STORAGE_PRICE),
                settings.get(Options.PLAN_MONTHS)));
    double tokensOfStep = passes * corpus.tokens() / steps;
    return new PlanResult(
        new PlanResult.Probe(
            corpus,
            sample.how(),
            deadline.phases(),
            measured.rate(),
            measured.lengths().tokens(),
            student.speeds().stream()
                .map(
                    s ->
                        new PlanResult.Student(
                            s.name(), tokensOfStep / s.seconds(1, tokensOfStep), steps))
                .toList(),
            decoding,
            disk),
        new PlanResult.Disk(
            bytes,
            bytes / corpus.tokens(),
            measured.bytes().teacher(),
            free,
            units * (1 + choice.columns().size()),
            units),
        new PlanResult.Hours(
            economics.cacheHours(), economics.cachedTrainHours(), economics.onlineHours()),
        new PlanResult.Money(
            economics.cachedCost(), economics.onlineCost(), economics.storageCost()),
        new PlanResult.BreakEven(
            economics.breakEvenReads(),
            economics.work().reads(),
            economics.breakEvenBytesPerToken(),
            economics.student().bytesPerToken()),
        economics.limit(),
        Choices.of(
            settings,
            teacher,
            loss,
            sizes,
            bytes - sizes.tensors(choice, choice, teacher, maskProbability())),
        unread(choice, student),
        economics.verdict());
  }

  private double writeInputs(Scratch scratch, CorpusSample sample, Path directory)
      throws IOException {
    long start = System.nanoTime();
    new CacheJob(
            spark,
            CorpusSample.recipe(settings, sample.table())
                .with(Map.of(Options.CACHE.key(), scratch.path("cache").toString())))
        .writeInputsAlone(directory);
    return (System.nanoTime() - start) / 1e9;
  }

  private void requireTokens(Lengths sampled) {
    if (sampled.tokens() == 0) {
      throw Errors.invalid(
          "no row of the corpus %s holds a token".formatted(settings.get(Options.CORPUS_PATH)),
          "name files with text");
    }
    double poisoned = 1 - sampled.sound() / sampled.rows();
    double most = settings.get(Options.MAX_POISON);
    if (poisoned > most) {
      throw Errors.invalid(
          "%.1f %% of the sampled rows have no targets (empty, or not UTF-8), a share over cache.max-poison (%s): cache would stop"
              .formatted(100 * poisoned, most),
          "mend the corpus, or raise cache.max-poison");
    }
  }

  /** Returns the bytes that are free. */
  private double requireRoom(String least, double bytes) throws IOException {
    Path there = Scratch.existing(storage, cache);
    long room = free.at(there);
    if (room < ROOM * bytes) {
      throw Errors.invalid(
          "the cache would take %s%,.0f bytes, and '%s' has %,d free: less than %s times as many"
              .formatted(least, bytes, there, room, ROOM),
          "free some, choose another cache.path, or store less, such as targets.dtype=int8 or fewer targets.hidden");
    }
    return room;
  }

  /** Returns whether the system's memory can hold the cache, so that a disk is read but once. */
  private static boolean fits(double bytes) {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return bytes < system.getTotalMemorySize() / 2.0;
  }

  private double maskProbability() {
    return settings.get(Options.MASK_PROBABILITY);
  }

  private static List<String> unread(TargetChoice choice, StudentProbe.Student student) {
    return choice.all().stream()
        .filter(column -> !student.columns().contains(column))
        .map(Column::name)
        .toList();
  }
}
