package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Evaluates the teacher and its students on rows of text and writes {@code evaluation.json}. */
public final class EvaluateJob {
  private static final Logger LOG = LoggerFactory.getLogger(EvaluateJob.class);
  private static final Gson LINE = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final List<Evaluator.Candidate> candidates = new ArrayList<>();
  private final List<SpeedStage.Model> shapes = new ArrayList<>();
  private final ModelSpec teacher;
  private final Head head;
  private final List<Metric> metrics;
  private Optional<String> leftOut = Optional.empty();

  /**
   * Checks that every model exists and has the teacher's head and vocabulary, that the reference is
   * one of them, and that the outputs can be written.
   *
   * @throws io.stillhouse.error.StillhouseException if a model is missing or does not fit
   */
  public EvaluateJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    Path path = teacherPath();
    Models.openTeacher(storage.local(path)); // a teacher must be an encoder
    this.teacher = add("teacher", path);
    this.head =
        ModelCheck.of(settings, "the teacher", teacher)
            .requireHead("so there is nothing to evaluate")
            .requireReads()
            .head();
    this.metrics = Recipe.metrics(settings, teacher.head().task());
    for (Path model : models()) {
      ModelSpec spec = add(model.getName(), model);
      requireSameHead(model, spec);
      requireSameTokens(path, model);
    }
    Evaluator.requireNamed(candidates, settings.get(Options.EVALUATE_REFERENCE));
    requireOutputs();
  }

  /** Requires that a model predicts the teacher's classes for the same rows. */
  private void requireSameHead(Path model, ModelSpec spec) {
    String name = model.getName();
    if (spec.head().task() != teacher.head().task() || spec.vocabSize() != teacher.vocabSize()) {
      throw Errors.invalid(
          format(
              "%s does not predict what the teacher predicts: its head is %s and it has %d tokens,"
                  + " but the teacher's is %s and it has %d",
              name,
              ModelCheck.described(spec.head()),
              spec.vocabSize(),
              ModelCheck.described(teacher.head()),
              teacher.vocabSize()),
          "only evaluate models with the same head and vocabulary together");
    }
    Head own = ModelCheck.of(settings, name, spec).requireReads().head();
    if (!own.equals(head)) {
      throw Errors.invalid(
          format(
              "%s has the classes %s, but the teacher %s",
              name, ClassNames.shown(own.labels()), ClassNames.shown(head.labels())),
          "evaluate models with the same classes in the same order together; if only their names"
              + " differ, set corpus.classes");
    }
  }

  private void requireSameTokens(Path teacherPath, Path model) throws IOException {
    Optional<String> difference =
        TokenizerComparison.difference(storage.local(teacherPath), storage.local(model), List.of());
    if (difference.isPresent()) {
      throw Errors.invalid(
          format(
              "'%s' has a different tokenizer than the teacher (%s), whose tokens all models read",
              model, difference.get()),
          "only evaluate models with the same vocabulary and casing together");
    }
  }

  private void requireOutputs() throws IOException {
    storage.requireNoDirectory(
        Options.EVALUATE_OUTPUT.key(), settings.get(Options.EVALUATE_OUTPUT));
    String predictions = settings.get(Options.EVALUATE_PREDICTIONS);
    if (predictions.isEmpty()) {
      return;
    }
    if (!teacher.head().task().pooled()) {
      throw Errors.invalid(
          format(
              "evaluate.predictions is '%s', but a masked LM predicts tokens and has no logits per"
                  + " row",
              predictions),
          "remove evaluate.predictions");
    }
    storage.requireNoDirectory(Options.EVALUATE_PREDICTIONS.key(), predictions);
  }

  /** Returns the recipe's teacher, or the teacher of a cache that {@code teacher.name} names. */
  private Path teacherPath() throws IOException {
    String name = settings.get(Options.TEACHER_NAME);
    if (name.isEmpty()) {
      return storage.requireExisting("teacher.path", settings.get(Options.TEACHER));
    }
    Path cache = storage.requireExisting("cache.path", settings.get(Options.CACHE));
    CacheReader.teacher(storage, cache, name);
    return TeacherFolder.model(cache, name);
  }

  private ModelSpec add(String name, Path model) throws IOException {
    for (Evaluator.Candidate known : candidates) {
      if (known.name().equals(name)) {
        throw Errors.invalid(
            format(
                "evaluate.models names two models '%s': '%s' and '%s', but results are listed by"
                    + " name",
                name, known.path(), model),
            "rename one of the directories");
      }
    }
    ModelSpec spec = ModelDirectory.open(storage.local(model)).spec();
    candidates.add(new Evaluator.Candidate(name, model.toString(), spec.parameterCount()));
    shapes.add(new SpeedStage.Model(name, model.toString(), spec));
    return spec;
  }

  private List<Path> models() throws IOException {
    List<Path> models = new ArrayList<>();
    for (String named : settings.get(Options.EVALUATE_MODELS)) {
      models.add(storage.requireExisting("evaluate.models", named));
    }
    Path students = storage.qualify(settings.get(Options.TRAIN_PATH));
    if (models.isEmpty() && storage.exists(students)) {
      Arrays.stream(storage.fileSystem(students).listStatus(students))
          .filter(FileStatus::isDirectory)
          .map(FileStatus::getPath)
          .filter(path -> !path.getName().startsWith("_"))
          .sorted(Comparator.comparing(Path::getName))
          .forEach(models::add);
    }
    return models;
  }

  /** Evaluates all models and writes the result to {@code evaluate.output}. */
  public Evaluation run() throws IOException {
    List<String> paths =
        settings.get(Options.EVALUATE_PATH).isEmpty()
            ? settings.get(Options.CORPUS_PATH)
            : settings.get(Options.EVALUATE_PATH);
    CorpusSpec spec = Recipe.corpus(settings, paths);
    List<InputRow> all = rows(spec);
    List<InputRow> rows = all.stream().filter(row -> row.length() > 0).toList();
    if (rows.isEmpty()) {
      throw Errors.invalid(format("no row of %s contains a token", paths), "name files with text");
    }
    LOG.info("Evaluating {} models on {} rows of {}", candidates.size(), rows.size(), paths);
    List<EvaluateTask.RowResult> results = finite(evaluate(rows), all);
    String reference = settings.get(Options.EVALUATE_REFERENCE);
    boolean maskedLm = teacher.head().task() == Task.MASKED_LM;
    Evaluator evaluator =
        maskedLm
            ? new MaskedLmEvaluator(candidates, reference, results)
            : new TaskEvaluator(candidates, reference, teacher.head(), metrics, results);
    long masked =
        results.stream()
            .map(EvaluateTask.RowResult::masked)
            .filter(Objects::nonNull)
            .mapToLong(EvaluateTask.MaskedCounts::tokens)
            .sum();
    Evaluation evaluation =
        evaluator.evaluate(
            new Evaluation.Data(paths, results.size(), masked, all.size() - results.size()));
    writePredictions(results);
    if (settings.get(Options.EVALUATE_SPEED)) {
      evaluation = evaluation.withSpeed(new SpeedStage(spark, settings, shapes).run());
    }
    Path output = storage.qualify(settings.get(Options.EVALUATE_OUTPUT));
    storage.writeJson(output, evaluation);
    LOG.info("Wrote '{}'", output);
    return evaluation;
  }

  /** Returns the results of rows for which the teacher's output is finite. */
  private List<EvaluateTask.RowResult> finite(
      List<EvaluateTask.RowResult> results, List<InputRow> all) {
    InvalidRows invalid = InvalidRows.of(all.iterator());
    List<EvaluateTask.RowResult> finite = new ArrayList<>();
    for (EvaluateTask.RowResult result : results) {
      if (result.teacherIsFinite()) {
        finite.add(result);
      } else {
        invalid = invalid.plus(InvalidRows.of(InvalidRows.NOT_FINITE, 1, result.id()));
      }
    }
    InvalidRowPolicy.of(settings).check(invalid, all.size());
    if (finite.isEmpty()) {
      throw Errors.invalid(
          format("the teacher's output is finite for none of %d rows", results.size()),
          "use another teacher");
    }
    leftOut = InvalidRowPolicy.line(invalid, all.size());
    return finite;
  }

  /** Returns how many rows the last run left out, and why; empty if none. */
  public Optional<String> leftOut() {
    return leftOut;
  }

  /** Writes a line of JSON for each row: its key, its label, and the logits of each model. */
  private void writePredictions(List<EvaluateTask.RowResult> rows) throws IOException {
    String to = settings.get(Options.EVALUATE_PREDICTIONS);
    if (to.isEmpty()) {
      return;
    }
    StringBuilder lines = new StringBuilder();
    for (EvaluateTask.RowResult row : rows) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("id", row.id());
      line.put("label", Double.isNaN(row.label()) ? null : row.label());
      for (int m = 0; m < candidates.size(); m++) {
        line.put(candidates.get(m).name(), row.logits()[m]);
      }
      lines.append(LINE.toJson(line)).append('\n');
    }
    storage.writeText(storage.qualify(to), lines.toString());
  }

  private List<InputRow> rows(CorpusSpec spec) throws IOException {
    Corpus corpus = Corpus.read(spark, spec);
    InvalidRowPolicy policy = InvalidRowPolicy.of(settings);
    policy.check(corpus.broken(), corpus.rowCount());
    // The seed differs from the cache's, so that other tokens are masked than in training.
    RowTokenizer.Mask mask = RowTokenizer.Mask.of(settings, 1, ~settings.get(Options.CACHE_SEED));
    RowTokenizer tokenizer = RowTokenizer.of(settings, candidates.get(0).path(), head, spec, mask);
    List<InputRow> rows =
        new ArrayList<>(corpus.rows().mapPartitions(tokenizer::tokenize).collect());
    InvalidRows invalid = InvalidRows.of(rows.iterator());
    if (invalid.without(InvalidRows.EMPTY).count() > 0 || invalid.count() < rows.size()) {
      policy.check(invalid, rows.size());
    }
    rows.sort(Comparator.comparingInt(InputRow::length).thenComparing(InputRow::id));
    return rows;
  }

  private List<EvaluateTask.RowResult> evaluate(List<InputRow> rows) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<String> models = candidates.stream().map(Evaluator.Candidate::path).toList();
    int batchTokens = settings.get(Options.CACHE_BATCH_TOKENS);
    int threads = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    List<EvaluateTask> tasks =
        distribute(rows, 4 * context.defaultParallelism()).stream()
            .map(part -> new EvaluateTask(part, models, batchTokens, threads))
            .toList();
    long tokens = rows.stream().mapToLong(InputRow::length).sum() * models.size();
    try (TrackedJob job = TrackedJob.start(spark, "evaluate", format("%d models", models.size()))) {
      LongAccumulator done =
          job.count("evaluated tokens", Progress.start("evaluate", tokens, "tokens"));
      return job.run(
          () ->
              context
                  .parallelize(tasks, tasks.size())
                  .flatMap(task -> task.run(done::add).iterator())
                  .collect());
    }
  }

  /** Distributes rows over parts in turn, so that each part gets its share of long rows. */
  private static List<List<InputRow>> distribute(List<InputRow> rows, int limit) {
    int parts = Math.min(rows.size(), limit);
    List<List<InputRow>> distributed = new ArrayList<>();
    for (int part = 0; part < parts; part++) {
      List<InputRow> partRows = new ArrayList<>();
      for (int row = part; row < rows.size(); row += parts) {
        partRows.add(rows.get(row));
      }
      distributed.add(partRows);
    }
    return distributed;
  }
}
