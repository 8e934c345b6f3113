package io.stillhouse.jobs.cache;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.Progress;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.jobs.text.Corpus;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Job 1: runs the teacher once over the corpus and writes its targets; a restart computes what the
 * manifest lacks.
 */
public final class CacheJob {
  /** What a finished run leaves, sealed. */
  static final String RECORD = "cache.json";

  /** The teacher's directory inside a cache. */
  public static final String TEACHER = "teacher";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final HuggingFaceDirectory teacher;
  private final TargetChoice choice;

  /** What a run did. */
  public record Result(
      String cache,
      long rows,
      long tokens,
      int units,
      long blankRows,
      long poisonRows,
      int computedUnits,
      List<String> columns,
      int manifestEntries,
      long bytes,
      double bytesPerToken,
      double seconds,
      double tokensPerSecond) {}

  /**
   * Checks the recipe against the teacher; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException if the teacher is not one, or lacks an asked
   *     layer
   */
  public CacheJob(SparkSession spark, Settings settings) throws IOException {
    this(spark, settings, teacher(spark, settings), null);
  }

  /**
   * Makes a job that writes rows of token ids and labels but no targets, under a given model's
   * tokenizer and head.
   */
  public static CacheJob inputsAlone(
      SparkSession spark, Settings settings, HuggingFaceDirectory model) {
    return new CacheJob(spark, settings, model, TargetChoice.nothing(Dtype.FLOAT32));
  }

  private CacheJob(
      SparkSession spark, Settings settings, HuggingFaceDirectory teacher, TargetChoice choice) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.cache = storage.requireExclusive(Options.CACHE.key(), settings.get(Options.CACHE));
    this.teacher = teacher;
    this.choice = choice == null ? TargetRecipe.choice(settings, teacher.spec()) : choice;
    if (settings.get(Options.MAX_LENGTH) > teacher.spec().embeddings().maxPositions()) {
      throw Errors.badValue(
          Options.MAX_LENGTH.key(),
          "at most the teacher's positions, " + teacher.spec().embeddings().maxPositions(),
          settings.get(Options.MAX_LENGTH));
    }
  }

  private static HuggingFaceDirectory teacher(SparkSession spark, Settings settings)
      throws IOException {
    Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Path given = storage.requireExisting("teacher.path", settings.get(Options.TEACHER));
    return HuggingFaceDirectory.open(storage.local(given));
  }

  /** Plans if there is no plan yet, then computes every unit that misses a column. */
  public Result run() throws IOException {
    try {
      return planAndCompute();
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      DiskFull.explain(e, storage, cache);
      throw e;
    }
  }

  private Result planAndCompute() throws IOException {
    long start = System.nanoTime();
    Plan plan = storage.exists(cache) ? resume() : plan();
    Manifest manifest = Manifest.read(storage, cache);
    new Repair(storage, cache, teacher).restore(plan, manifest, this::writeInputs);
    List<TeacherTask> tasks = tasks(plan, manifest);
    computeAll(plan, manifest, tasks);
    double seconds = (System.nanoTime() - start) / 1e9;
    long bytes = manifest.files().stream().mapToLong(file -> file.size().bytes()).sum();
    long computed = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    Result result =
        new Result(
            cache.toString(),
            plan.corpus().rows(),
            plan.corpus().tokens(),
            plan.units().size(),
            plan.corpus().blankRows(),
            plan.corpus().poisonRows() + manifest.poisonRows(),
            tasks.size(),
            List.copyOf(manifest.columns()),
            manifest.entries(),
            bytes,
            (double) bytes / plan.corpus().tokens(),
            seconds,
            computed / seconds);
    Path record = new Path(cache, RECORD);
    boolean sound = storage.exists(record) && Seal.open(storage.readText(record)) != null;
    if (!tasks.isEmpty() || !sound) {
      storage.writeText(record, Seal.seal(Storage.JSON.toJson(result)));
    }
    return result;
  }

  private Plan resume() throws IOException {
    Plan plan = Repair.plan(storage, cache);
    plan.requireVersion(cache).requireSame(cache, Fingerprints.of(settings, storage, teacher));
    return plan;
  }

  /**
   * Plans in a directory of this run's own beside the cache and renames it into place, so that a
   * cache always has its plan, and of two runs that plan at once one wins.
   */
  private Plan plan() throws IOException {
    Map<String, String> fingerprints = Fingerprints.of(settings, storage, teacher);
    Staging staging = new Staging(storage, cache);
    try {
      Path home = new Path(staging.directory(), TEACHER);
      storage.publish(teacher.path(), home);
      CorpusSpec spec = Recipe.corpus(settings);
      Corpus corpus = Corpus.read(spark, spec);
      Planner.Planned planned =
          planner(staging.directory()).write(corpus, tokenising(home.toString(), spec));
      if (planned.tokens() == 0) {
        throw Errors.invalid(
            "no row of the corpus %s holds a token".formatted(spec.paths()),
            "name files with text");
      }
      boolean prose = cut(settings, spec).mode() != Segmenter.Mode.ROW;
      Plan plan =
          new Plan(
              Targets.VERSION,
              fingerprints,
              planned.units(),
              new Plan.Read(
                  planned.rows(),
                  planned.tokens(),
                  prose ? corpus.blankRows() : 0,
                  planned.poison()),
              Fingerprints.directory(storage, teacher.path()),
              planned.files());
      requireFewPoisoned(plan, plan.corpus().poisonRows());
      Manifest.read(storage, staging.directory()).append(Manifest.Entry.first(plan));
      storage.writeText(new Path(staging.directory(), Plan.FILE), plan.toJson());
      staging.becomeTheCache();
      return plan;
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      staging.requireStillNoCache(e);
      throw e;
    } finally {
      staging.delete();
    }
  }

  private Planner planner(Path directory) {
    return new Planner(
        spark, directory, settings.get(Options.UNIT_TOKENS), settings.get(Options.SEED));
  }

  /** Writes the inputs of all units anew into another directory, to restore some of them. */
  private Planner.Planned writeInputs(Path directory) {
    CorpusSpec spec = Recipe.corpus(settings);
    return planner(directory)
        .write(Corpus.read(spark, spec), tokenising(new Path(cache, TEACHER).toString(), spec));
  }

  /** Writes the rows of a corpus into a directory as a cache holds them, without a cache around. */
  public void writeInputsAlone(Path directory) {
    CorpusSpec spec = Recipe.corpus(settings);
    planner(directory)
        .write(Corpus.read(spark, spec), tokenising(settings.get(Options.TEACHER), spec));
  }

  private void requireFewPoisoned(Plan plan, long poisoned) {
    double most = settings.get(Options.MAX_POISON);
    if (poisoned > most * plan.corpus().rows()) {
      throw Errors.invalid(
          "%,d of %,d rows have no targets (%s), a share over cache.max-poison (%s)"
              .formatted(
                  poisoned,
                  plan.corpus().rows(),
                  plan.corpus().poison().isEmpty()
                      ? "the teacher's output is not finite"
                      : plan.corpus().poison(),
                  most),
          "mend the corpus or the teacher, or raise cache.max-poison");
    }
  }

  private Tokenising tokenising(String home, CorpusSpec spec) {
    Head head = teacher.spec().head();
    boolean labelled = Recipe.labelled(settings) && head.task().pooled();
    return new Tokenising(
        home,
        new Tokenising.Labels(head.task(), head.labels(), labelled),
        cut(settings, spec),
        head.task() == Task.MASKED_LM
            ? new Tokenising.Mask(
                settings.get(Options.MASK_PROBABILITY),
                settings.get(Options.MASK_VARIANTS),
                settings.get(Options.SEED))
            : null);
  }

  /**
   * Returns how a recipe cuts texts into rows: prose into windows, tables not at all, unless it
   * says otherwise.
   */
  public static Tokenising.Cut cut(Settings settings, CorpusSpec spec) {
    String segment = settings.get(Options.CORPUS_SEGMENT);
    boolean prose = spec.columns().text() == null && spec.columns().pair() == null;
    Segmenter.Mode mode =
        segment.equals("auto")
            ? prose ? Segmenter.Mode.WINDOWS : Segmenter.Mode.ROW
            : Segmenter.Mode.valueOf(segment.toUpperCase(Locale.ROOT));
    String tooLong = settings.get(Options.CORPUS_TOO_LONG);
    Segmenter.TooLong policy =
        tooLong.equals("auto")
            ? prose ? Segmenter.TooLong.SPLIT : Segmenter.TooLong.TRUNCATE
            : Segmenter.TooLong.valueOf(tooLong.toUpperCase(Locale.ROOT));
    return new Tokenising.Cut(mode, policy, settings.get(Options.MAX_LENGTH));
  }

  /** Returns a task for every unit that lacks a column, asked for now or lost since. */
  private List<TeacherTask> tasks(Plan plan, Manifest manifest) throws IOException {
    TeacherTask.Run run =
        new TeacherTask.Run(
            settings.get(Options.CACHE_BATCH_TOKENS),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1),
            settings.get(Options.SEED));
    TargetChoice wanted = choice.withLayersOf(recorded());
    List<TeacherTask> tasks = new ArrayList<>();
    for (Plan.Unit unit : plan.units()) {
      int number = unit.unit();
      Set<String> missing =
          wanted.all().stream()
              .filter(column -> !manifest.has(number, column))
              .map(Column::name)
              .collect(Collectors.toCollection(TreeSet::new));
      if (!missing.isEmpty()) {
        CacheFile inputs = manifest.find(number, Family.INPUTS, Targets.ID).orElseThrow();
        tasks.add(
            new TeacherTask(
                cache.toString(),
                inputs,
                wanted.without(column -> manifest.has(number, column)),
                missing,
                run));
      }
    }
    return tasks;
  }

  /** Returns the columns that the last finished run left. */
  private List<Column> recorded() throws IOException {
    Path record = new Path(cache, RECORD);
    String text = storage.exists(record) ? Seal.open(storage.readText(record)) : null;
    return text == null
        ? List.of()
        : Storage.JSON.fromJson(text, Result.class).columns().stream().map(Targets::named).toList();
  }

  private void computeAll(Plan plan, Manifest manifest, List<TeacherTask> tasks)
      throws IOException {
    if (tasks.isEmpty()) {
      return;
    }
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("cache", "teacher targets of %d units".formatted(tasks.size()), true);
    LongAccumulator done = spark.sparkContext().longAccumulator("teacher tokens");
    long tokens = tasks.stream().mapToLong(task -> task.inputs().size().tokens()).sum();
    long before = plan.corpus().tokens() - tokens;
    JavaRDD<TeacherTask> rdd = context.parallelize(tasks, tasks.size());
    try (Progress progress = Progress.resume("cache", before, plan.corpus().tokens(), "tokens");
        Lease lease = Lease.take(storage, cache);
        RunningTasks running = new RunningTasks(spark.sparkContext(), done);
        Watch watch = new Watch(() -> progress.update(before + done.value() + running.sum()))) {
      spark
          .sparkContext()
          .runJob(
              rdd.rdd(),
              new Compute(done),
              new Append(manifest, poisoned -> requireFewPoisoned(plan, poisoned)),
              ClassTag$.MODULE$.apply(TeacherTask.Done.class));
    }
  }

  /** The work of one task. */
  private static final class Compute
      extends AbstractFunction1<scala.collection.Iterator<TeacherTask>, TeacherTask.Done>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final LongAccumulator tokens;

    Compute(LongAccumulator tokens) {
      this.tokens = tokens;
    }

    @Override
    public TeacherTask.Done apply(scala.collection.Iterator<TeacherTask> tasks) {
      try {
        return tasks.next().compute(tokens::add); // a partition is one task
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Runs on the driver as each task ends, so that a unit counts as soon as it is finished. */
  private static final class Append extends AbstractFunction2<Object, TeacherTask.Done, BoxedUnit> {
    private final Manifest manifest;
    private final LongConsumer limit;

    Append(Manifest manifest, LongConsumer limit) {
      this.manifest = manifest;
      this.limit = limit;
    }

    @Override
    public BoxedUnit apply(Object partition, TeacherTask.Done done) {
      CrashPoint.FINISHED.reached();
      try {
        manifest.append(Manifest.Entry.added(done.files(), done.poison()));
        limit.accept(manifest.poisonRows());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return BoxedUnit.UNIT;
    }
  }
}
