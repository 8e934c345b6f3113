package io.stillhouse.jobs.plan;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.TargetRecipe;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.TargetChoice;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
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
  private final EncoderSpec teacher;
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
    this.free = free == null ? this::freeBytes : free;
    new CacheJob(spark, settings);
    Path given = storage.requireExisting(Options.TEACHER.key(), settings.get(Options.TEACHER));
    this.teacher = HuggingFaceDirectory.open(storage.local(given)).spec();
    if (!settings.get(Options.STAGES).isEmpty()) {
      throw Errors.invalid(
          "plan reckons one training, but train.stages names %d"
              .formatted(settings.get(Options.STAGES).size()),
          "give train.stages='[]' and a stage's own values, once for each");
    }
    loss();
    storage.requireNoDirectory(Options.PLAN_OUTPUT.key(), settings.get(Options.PLAN_OUTPUT));
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
      result = measure(scratch, deadline, free.at(Scratch.existing(storage, cache)));
    }
    storage.writeJson(
        storage.qualify(settings.get(Options.PLAN_OUTPUT)),
        Map.of("result", result, "recipe", settings.inForce()));
    return result;
  }

  private PlanResult measure(Scratch scratch, Deadline deadline, long room) throws IOException {
    CorpusSample sample =
        deadline.run("the corpus was sampled", () -> CorpusSample.draw(spark, settings, scratch));
    Path inputs = scratch.path("inputs");
    double planning =
        deadline.run("the sample was tokenised", () -> writeInputs(scratch, sample, inputs));
    Lengths sampled = Lengths.of(spark, inputs);
    Lengths corpus = sampled.times(sample.times());
    requireTokens(sampled);
    Settings real =
        settings.with(
            Map.of(
                Options.SHARD_TOKENS.key(),
                Long.toString(sampleJob(scratch, sample).shardTokens(corpus.tokens()))));
    StoredBytes inputBytes = StoredBytes.of(storage, inputs);
    TargetChoice choice = TargetRecipe.choice(settings, teacher);
    TargetSizes before = new TargetSizes(inputBytes, sampled, inputBytes, sampled, corpus);
    double computed =
        choice.all().stream()
            .mapToDouble(c -> before.computed(c, choice, teacher, maskProbability()))
            .sum();
    double share = shareHeld(before.shards(real.get(Options.SHARD_TOKENS)));
    requireRoom(room, "at least ", COMPRESSED * computed * share);

    TeacherProbe.Teacher measured =
        new TeacherProbe(spark, real, storage, scratch)
            .run(sample, sampled.tokens(), corpus.tokens(), deadline);
    TargetSizes sizes =
        new TargetSizes(measured.bytes(), measured.lengths(), inputBytes, sampled, corpus);
    double bytes = sizes.cache(real.get(Options.SHARD_TOKENS), measured.shards());
    double targets = bytes - sizes.inputsOfCorpus();
    requireRoom(room, "", bytes - targets * (1 - share) + measured.bytes().teacher());

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
    Path weights = new Path(measured.cache(), TeacherFolder.NAME + "/model.safetensors");
    return new Forecast(real, teacher, choice, sizes, measured, student)
        .result(
            loss(),
            new Forecast.Around(
                sessionSeconds, planning * Math.max(1, sample.times()), deadline.phases()),
            new Forecast.Disk(room, decoding, ReadProbe.disk(weights)),
            sample.how());
  }

  private DistillSpec loss() {
    return LossRecipe.loss(
        settings,
        Recipe.student(
            settings,
            teacher,
            file -> WordVectorFile.of(storage, Options.WORD_VECTORS.key(), file).width()),
        teacher);
  }

  private double writeInputs(Scratch scratch, CorpusSample sample, Path directory)
      throws IOException {
    long start = System.nanoTime();
    sampleJob(scratch, sample).writeInputsAlone(directory);
    return (System.nanoTime() - start) / 1e9;
  }

  private CacheJob sampleJob(Scratch scratch, CorpusSample sample) throws IOException {
    return new CacheJob(
        spark,
        CorpusSample.recipe(settings, sample.table())
            .with(Map.of(Options.CACHE.key(), scratch.path("cache").toString())));
  }

  private void requireTokens(Lengths sampled) {
    if (sampled.tokens() == 0) {
      throw Errors.invalid(
          "no row of the corpus %s holds a token".formatted(settings.get(Options.CORPUS_PATH)),
          "name files with text");
    }
    double invalid = 1 - sampled.sound() / sampled.rows();
    double most = settings.get(Options.MAX_INVALID);
    if (invalid > most) {
      throw Errors.invalid(
          "%.1f %% of the sampled rows have no targets (empty, or not UTF-8), a share over cache.max-invalid (%s): cache would stop"
              .formatted(100 * invalid, most),
          "mend the corpus, or raise cache.max-invalid");
    }
  }

  /** Returns the share of the targets that lies on the disk at once. */
  private double shareHeld(int shards) {
    int window = settings.get(Options.CACHE_WINDOW);
    return window == 0 ? 1 : Math.min(1, (double) window / shards);
  }

  private void requireRoom(long room, String least, double bytes) {
    if (room < ROOM * bytes) {
      throw Errors.invalid(
          "the cache would take %s%,.0f bytes, and the disk of cache.path '%s' has %,d free: less than %s times as many"
              .formatted(least, bytes, cache, room, ROOM),
          "free some, choose another cache.path, or store less, such as targets.dtype=int8 or fewer"
              + " targets.hidden");
    }
  }

  /** Hadoop counts a local disk's reserved blocks as free; nobody can write to those. */
  private long freeBytes(Path path) throws IOException {
    return "file".equals(path.toUri().getScheme())
        ? Files.getFileStore(java.nio.file.Path.of(path.toUri().getPath())).getUsableSpace()
        : storage.fileSystem(path).getStatus(path).getRemaining();
  }

  private double maskProbability() {
    return settings.get(Options.MASK_PROBABILITY);
  }
}
