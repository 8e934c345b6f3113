package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.TargetRecipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.TargetChoice;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Predicts the cost of a recipe from a probe on its corpus. It writes {@code plan.output} and
 * nothing else, and nothing at all if it fails.
 */
public final class PlanJob {
  /** The free space that the disk must have, as a multiple of the cache's size. */
  private static final double FREE_FACTOR = 1.2;

  /** The minimum share of computed bytes that remains after compression, for the first check. */
  private static final double MIN_COMPRESSED = 0.7;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final FreeSpace free;
  private final EncoderSpec teacher;
  private final String weights;
  private final double sessionSeconds;
  private final List<String> leftOut = new ArrayList<>();

  /** Returns the bytes that are free on the file system of an existing path. */
  interface FreeSpace {
    long at(Path path) throws IOException;
  }

  /**
   * Checks the recipe, and neither writes nor runs anything.
   *
   * @throws io.stillhouse.error.StillhouseException if the cache or the training would refuse it
   */
  public PlanJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, settings, null);
  }

  PlanJob(SparkSession spark, Settings settings, @Nullable FreeSpace free) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.free = free == null ? this::freeBytes : free;
    new CacheJob(spark, settings);
    Path given = storage.requireExisting(Options.TEACHER.key(), settings.get(Options.TEACHER));
    java.nio.file.Path local = storage.local(given);
    this.teacher = HuggingFaceDirectory.open(local).spec();
    this.weights = ModelFiles.weightFiles(local).get(0).getFileName().toString();
    if (!settings.get(Options.STAGES).isEmpty()) {
      throw Errors.invalid(
          format(
              "plan predicts one training, but train.stages names %d",
              settings.get(Options.STAGES).size()),
          "set train.stages='[]' and the settings of one stage, and run plan once for each stage");
    }
    loss();
    storage.requireNoDirectory(Options.PLAN_OUTPUT.key(), settings.get(Options.PLAN_OUTPUT));
    this.sessionSeconds = Sessions.startUpSeconds();
  }

  /**
   * Measures, computes and writes the result.
   *
   * @throws io.stillhouse.error.StillhouseException if the disk has less free space than 1.2 times
   *     the size of the cache, or {@code plan.seconds} is not enough
   */
  public PlanResult run() throws IOException {
    PlanResult result;
    try (Scratch scratch = Scratch.open(storage, cache);
        Deadline deadline = Deadline.of(spark, settings.get(Options.PLAN_SECONDS))) {
      result = measure(scratch, deadline, free.at(Scratch.existing(storage, cache)));
    }
    storage.writeJson(
        storage.qualify(settings.get(Options.PLAN_OUTPUT)),
        Map.of("result", result, "recipe", settings.allValues()));
    return result;
  }

  /** Returns how many rows would be left out of the cache, and why; empty if none. */
  public List<String> leftOut() {
    return List.copyOf(leftOut);
  }

  /** The size of the corpus, from a sample of it. */
  private record CorpusSize(
      CorpusSample sample, double seconds, Lengths sampled, Lengths corpus, StoredBytes inputs) {}

  private CorpusSize sizeCorpus(Scratch scratch, Deadline deadline) throws IOException {
    CorpusSample sample =
        deadline.run("the corpus was sampled", () -> CorpusSample.draw(spark, settings, scratch));
    Path inputs = scratch.path("inputs");
    double seconds =
        deadline.run("the sample was tokenized", () -> writeInputs(scratch, sample, inputs));
    Lengths sampled = Lengths.of(spark, inputs);
    requireTokens(sampled);
    leftOut.clear();
    sample.leftOut().ifPresent(leftOut::add);
    InvalidRows invalid = Lengths.invalid(spark, inputs);
    InvalidRowPolicy.of(settings).check(invalid, (long) sampled.rows());
    InvalidRowPolicy.line(invalid, (long) sampled.rows())
        .ifPresent(line -> leftOut.add("in the sample: " + line));
    return new CorpusSize(
        sample,
        seconds,
        sampled,
        sampled.multiply(sample.factor()),
        StoredBytes.of(storage, inputs));
  }

  private PlanResult measure(Scratch scratch, Deadline deadline, long available)
      throws IOException {
    CorpusSize size = sizeCorpus(scratch, deadline);
    CorpusSample sample = size.sample();
    Lengths corpus = size.corpus();
    long shardTokens = sampleJob(scratch, sample).shardTokens(corpus.tokens());
    Settings real = settings.with(Map.of(Options.SHARD_TOKENS.key(), Long.toString(shardTokens)));
    TargetChoice choice = TargetRecipe.choice(settings, teacher);
    TargetSizes before =
        new TargetSizes(size.inputs(), size.sampled(), size.inputs(), size.sampled(), corpus);
    double share = shareOnDisk(before.shards(shardTokens));
    requireFree(available, "at least ", MIN_COMPRESSED * computed(choice, before) * share);

    TeacherProbe.Teacher measured =
        new TeacherProbe(spark, real, storage, scratch)
            .run(sample, size.sampled().tokens(), corpus.tokens(), deadline);
    TeacherProbe.ProbeCache probed = measured.cache();
    TargetSizes sizes =
        new TargetSizes(probed.bytes(), probed.lengths(), size.inputs(), size.sampled(), corpus);
    double bytes = sizes.cache(shardTokens, probed.shards());
    double targets = bytes - sizes.inputsOfCorpus();
    requireFree(available, "", bytes - targets * (1 - share) + probed.bytes().teacher());

    StudentProbe.Student student =
        new StudentProbe(spark, settings, storage, scratch)
            .run(probed.path(), corpus.tokens() / corpus.sound(), deadline);
    double bytesRead = sizes.readOfProbe(student.columns());
    double decoding =
        deadline.run(
            "targets were read",
            () -> ReadProbe.decoding(spark, probed.path(), student.columns(), bytesRead));
    Path copy = new Path(TeacherFolder.model(probed.path(), ""), weights);
    double planning = size.seconds() * Math.max(1, sample.factor());
    return new Forecast(real, teacher, choice, sizes, measured, student)
        .result(
            loss(),
            new Forecast.Overhead(sessionSeconds, planning, deadline.phases()),
            new Forecast.Disk(available, decoding, ReadProbe.disk(copy)),
            sample.basis());
  }

  private double computed(TargetChoice choice, TargetSizes sizes) {
    return choice.all().stream()
        .mapToDouble(column -> sizes.computed(column, choice, teacher, maskProbability()))
        .sum();
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
    sampleJob(scratch, sample).writeInputs(directory);
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
          format("no row of the corpus %s contains a token", settings.get(Options.CORPUS_PATH)),
          "name files with text");
    }
  }

  /** Returns the share of the targets that is on the disk at the same time. */
  private double shareOnDisk(int shards) {
    int window = settings.get(Options.CACHE_WINDOW);
    return window == 0 ? 1 : Math.min(1, (double) window / shards);
  }

  private void requireFree(long available, String least, double bytes) {
    if (available < FREE_FACTOR * bytes) {
      throw Errors.invalid(
          format(
              "the cache would take %s%,.0f bytes, but the disk of cache.path '%s' has %,d free:"
                  + " less than %s times as many",
              least, bytes, cache, available, FREE_FACTOR),
          "free some space, use another cache.path, or store less, such as targets.dtype=int8 or"
              + " fewer targets.hidden");
    }
  }

  /** Returns the free bytes. Hadoop would include those that a local disk reserves for root. */
  private long freeBytes(Path path) throws IOException {
    return "file".equals(path.toUri().getScheme())
        ? Files.getFileStore(java.nio.file.Path.of(path.toUri().getPath())).getUsableSpace()
        : storage.fileSystem(path).getStatus(path).getRemaining();
  }

  private double maskProbability() {
    return settings.get(Options.MASK_PROBABILITY);
  }
}
