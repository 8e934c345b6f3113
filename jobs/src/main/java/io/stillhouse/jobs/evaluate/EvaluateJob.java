package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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
  private final EvaluatedModels models;
  private final List<Metric> metrics;
  private final String reference;
  private final String predictions;
  private Optional<String> leftOut = Optional.empty();

  /**
   * Checks that every model exists and has the teacher's head and vocabulary, that the reference is
   * one of them, and that the outputs can be written.
   *
   * @throws io.stillhouse.error.StillhouseException if a model is missing or does not fit
   */
  public EvaluateJob(SparkSession spark, Settings settings) throws IOException {
    this(
        spark,
        settings,
        EvaluatedModels.of(new Storage(spark.sparkContext().hadoopConfiguration()), settings),
        settings.get(Options.EVALUATE_REFERENCE),
        settings.get(Options.EVALUATE_PREDICTIONS));
    Evaluator.requireNamed(models.candidates(), reference);
    requireOutputs();
  }

  /** Creates the evaluation of the forms of one model, which writes nothing. */
  EvaluateJob(SparkSession spark, Settings settings, EvaluatedModels models) {
    this(spark, settings, models, "", "");
  }

  private EvaluateJob(
      SparkSession spark,
      Settings settings,
      EvaluatedModels models,
      String reference,
      String predictions) {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.models = models;
    this.metrics = Recipe.metrics(settings, models.head().task());
    this.reference = reference;
    this.predictions = predictions;
  }

  private void requireOutputs() throws IOException {
    storage.requireNoDirectory(
        Options.EVALUATE_OUTPUT.key(), settings.get(Options.EVALUATE_OUTPUT));
    if (predictions.isEmpty()) {
      return;
    }
    if (!models.head().task().pooled()) {
      throw Errors.invalid(
          format(
              "evaluate.predictions is '%s', but a masked LM predicts tokens and has no logits per"
                  + " row",
              predictions),
          "remove evaluate.predictions");
    }
    storage.requireNoDirectory(Options.EVALUATE_PREDICTIONS.key(), predictions);
  }

  /** Evaluates all models and writes the result to {@code evaluate.output}. */
  public Evaluation run() throws IOException {
    List<String> paths =
        settings.get(Options.EVALUATE_PATH).isEmpty()
            ? settings.get(Options.CORPUS_PATH)
            : settings.get(Options.EVALUATE_PATH);
    Evaluation evaluation = evaluate(paths, read(paths));
    if (settings.get(Options.EVALUATE_SPEED)) {
      evaluation = evaluation.withSpeed(new SpeedStage(spark, settings, models.shapes()).run());
    }
    Path output = storage.qualify(settings.get(Options.EVALUATE_OUTPUT));
    storage.writeJson(output, evaluation);
    LOG.info("Wrote '{}'", output);
    return evaluation;
  }

  /** Returns the rows of some files, of which at least one has a token. */
  List<InputRow> read(List<String> paths) throws IOException {
    List<InputRow> all = rows(Recipe.corpus(settings, paths));
    if (all.stream().allMatch(row -> row.length() == 0)) {
      throw Errors.invalid(format("no row of %s contains a token", paths), "name files with text");
    }
    return all;
  }

  /** Evaluates all models on rows; writes predictions if {@code evaluate.predictions} is set. */
  Evaluation evaluate(List<String> paths, List<InputRow> all) throws IOException {
    List<InputRow> rows = all.stream().filter(row -> row.length() > 0).toList();
    List<Evaluator.Candidate> candidates = models.candidates();
    LOG.info("Evaluating {} models on {} rows of {}", candidates.size(), rows.size(), paths);
    List<EvaluateTask.RowResult> results = finite(evaluate(rows), all);
    boolean maskedLm = models.head().task() == Task.MASKED_LM;
    Evaluator evaluator =
        maskedLm
            ? new MaskedLmEvaluator(candidates, reference, results)
            : new TaskEvaluator(candidates, reference, models.head(), metrics, results);
    long masked =
        results.stream()
            .map(EvaluateTask.RowResult::masked)
            .filter(Objects::nonNull)
            .mapToLong(EvaluateTask.MaskedCounts::tokens)
            .sum();
    writePredictions(results);
    return evaluator
        .evaluate(new Evaluation.Data(paths, results.size(), masked, all.size() - results.size()))
        .withBytes(models.bytes());
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
    if (predictions.isEmpty()) {
      return;
    }
    StringBuilder lines = new StringBuilder();
    for (EvaluateTask.RowResult row : rows) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("id", row.id());
      line.put("label", Double.isNaN(row.label()) ? null : row.label());
      for (int m = 0; m < models.candidates().size(); m++) {
        line.put(models.candidates().get(m).name(), row.logits()[m]);
      }
      lines.append(LINE.toJson(line)).append('\n');
    }
    storage.writeText(storage.qualify(predictions), lines.toString());
  }

  private List<InputRow> rows(CorpusSpec spec) throws IOException {
    Corpus corpus = Corpus.read(spark, spec);
    InvalidRowPolicy policy = InvalidRowPolicy.of(settings);
    policy.check(corpus.broken(), corpus.rowCount());
    // The seed differs from the cache's, so that other tokens are masked than in training.
    RowTokenizer.Mask mask = RowTokenizer.Mask.of(settings, 1, ~settings.get(Options.CACHE_SEED));
    RowTokenizer tokenizer =
        RowTokenizer.of(settings, models.candidates().get(0).path(), models.head(), spec, mask);
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
    List<ModelLocation> locations = models.locations();
    int batchTokens = settings.get(Options.CACHE_BATCH_TOKENS);
    int threads = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    List<EvaluateTask> tasks =
        distribute(rows, 4 * context.defaultParallelism()).stream()
            .map(part -> new EvaluateTask(part, locations, batchTokens, threads))
            .toList();
    long tokens = rows.stream().mapToLong(InputRow::length).sum() * locations.size();
    try (TrackedJob job =
        TrackedJob.start(spark, "evaluate", format("%d models", locations.size()))) {
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
