package io.stillhouse.jobs.heads;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.evaluate.HeadImportance;
import io.stillhouse.evaluate.HeadSums;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.TargetSource;
import io.stillhouse.train.MicroBatches;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures how much each attention head of a model matters to its loss on labels, over a sample of
 * rows, and writes {@code heads.json}. The rows and their batches do not depend on the number of
 * executors.
 */
public final class HeadImportanceJob {
  private static final Logger LOG = LoggerFactory.getLogger(HeadImportanceJob.class);

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path model;
  private final java.nio.file.Path local;
  private final EncoderSpec spec;
  private final Head head;
  private Optional<String> leftOut = Optional.empty();

  /**
   * Checks that the model exists and has a loss on the labels of the corpus.
   *
   * @throws io.stillhouse.error.StillhouseException if the model has no head, if there are no
   *     labels, or if rows may be too long for the model
   */
  public HeadImportanceJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    boolean hasModel = !settings.get(Options.HEAD_IMPORTANCE_MODEL).isEmpty();
    this.model =
        storage.requireExisting(
            hasModel ? Options.HEAD_IMPORTANCE_MODEL.key() : Options.TEACHER.key(),
            settings.get(hasModel ? Options.HEAD_IMPORTANCE_MODEL : Options.TEACHER));
    this.local = storage.local(model);
    this.spec = Models.openTeacher(local).spec();
    if (spec.head().task().pooled() && !Recipe.labelled(settings)) {
      throw Errors.invalid(
          "corpus.label is missing, but the importance of heads is measured on labels",
          "name the column");
    }
    this.head =
        ModelCheck.of(settings, model.getName(), spec)
            .requireHead("so it has no loss by which to measure its attention heads")
            .requireReads()
            .head();
    storage.requireNoDirectory(
        Options.HEAD_IMPORTANCE_OUTPUT.key(), settings.get(Options.HEAD_IMPORTANCE_OUTPUT));
  }

  /** Measures all heads and writes the result to {@code head-importance.output}. */
  public HeadImportanceReport run() throws IOException {
    List<InputRow> rows = rows();
    if (rows.size() < 2) {
      throw Errors.invalid(
          format(
              "only %d rows of %s can be used, but an importance and its standard error need 2",
              rows.size(), settings.get(Options.CORPUS_PATH)),
          "name files with more text");
    }
    LOG.info("Measuring the attention heads of '{}' on {} rows", model, rows.size());
    String normalize = settings.get(Options.HEAD_IMPORTANCE_NORMALIZE);
    HeadImportanceReport report =
        new HeadImportanceReport(
            model.toString(),
            HeadImportanceReport.weights(storage, local),
            rows.size(),
            normalize,
            HeadImportance.of(
                sums(rows), HeadImportance.Normalize.valueOf(normalize.toUpperCase(Locale.ROOT))));
    Path output = storage.qualify(settings.get(Options.HEAD_IMPORTANCE_OUTPUT));
    storage.writeJson(output, report);
    LOG.info("Wrote '{}'", output);
    return report;
  }

  /** Returns how many of the drawn rows were left out, and why; empty if none. */
  public Optional<String> leftOut() {
    return leftOut;
  }

  /** Draws rows of the corpus or, for running text, pieces of the drawn lines. */
  private List<InputRow> rows() throws IOException {
    CorpusSpec corpus = Recipe.corpus(settings);
    RowTokenizer.Mask mask =
        RowTokenizer.Mask.of(settings, 1, settings.get(Options.HEAD_IMPORTANCE_SEED));
    RowTokenizer tokenizer = RowTokenizer.of(settings, model.toString(), head, corpus, mask);
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    int wanted = settings.get(Options.HEAD_IMPORTANCE_ROWS);
    InvalidRowPolicy policy = InvalidRowPolicy.of(settings);
    RandomOrder order = new RandomOrder(settings.get(Options.HEAD_IMPORTANCE_SEED));
    List<InputRow> rows;
    try (TrackedJob job = TrackedJob.start(spark, "head-importance", "rows of the corpus")) {
      rows =
          job.run(
              () -> {
                Corpus read = Corpus.read(spark, corpus);
                policy.check(read.broken(), read.rowCount());
                return new ArrayList<>(
                    context
                        .parallelize(read.rows().takeOrdered(wanted, order))
                        .mapPartitions(tokenizer::tokenize)
                        .collect());
              });
    }
    InvalidRows invalid = InvalidRows.of(rows.iterator());
    policy.check(invalid, rows.size());
    leftOut = InvalidRowPolicy.line(invalid, rows.size());
    rows.removeIf(row -> !hasLoss(row));
    rows.sort(
        Comparator.comparingLong((InputRow row) -> order.of(row.id())).thenComparing(InputRow::id));
    return rows.subList(0, Math.min(wanted, rows.size()));
  }

  private static boolean hasLoss(InputRow row) {
    return row.length() > 0
        && (row.mlmLabels() == null
            || Arrays.stream(row.mlmLabels()).anyMatch(label -> label != TargetSource.IGNORED));
  }

  /** A random order of rows that depends only on the seed and their keys. */
  private record RandomOrder(long seed) implements Comparator<SourceRow>, Serializable {
    long of(String key) {
      return new SplittableRandom(seed ^ (long) key.hashCode() << 32).nextLong();
    }

    @Override
    public int compare(SourceRow one, SourceRow two) {
      int order = Long.compare(of(one.key()), of(two.key()));
      return order == 0 ? one.key().compareTo(two.key()) : order;
    }
  }

  private HeadSums sums(List<InputRow> rows) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    List<List<InputRow>> batches =
        MicroBatches.split(
            rows,
            InputRow::length,
            settings.get(Options.CACHE_BATCH_TOKENS),
            MicroBatches.Phase.TRAINING);
    int threads = spark.sparkContext().conf().getInt("spark.task.cpus", 1);
    List<HeadImportanceTask> tasks = new ArrayList<>();
    int count = Math.min(batches.size(), 4 * context.defaultParallelism());
    for (int task = 0; task < count; task++) {
      // Assigned round-robin, so that each task gets its share of the long rows.
      List<HeadImportanceTask.Batch> taskBatches = new ArrayList<>();
      for (int batch = task; batch < batches.size(); batch += count) {
        taskBatches.add(new HeadImportanceTask.Batch(batch, batches.get(batch)));
      }
      tasks.add(new HeadImportanceTask(taskBatches, model.toString(), threads));
    }
    long tokens = rows.stream().mapToLong(InputRow::length).sum();
    List<HeadImportanceTask.Result> results;
    try (TrackedJob job = TrackedJob.start(spark, "head-importance", "gradients of heads")) {
      LongAccumulator done =
          job.count("tokens", Progress.start("head-importance", tokens, "tokens"));
      results =
          job.run(
              () ->
                  context
                      .parallelize(tasks, tasks.size())
                      .flatMap(task -> task.run(done::add).iterator())
                      .collect());
    }
    // Floating-point sums depend on their order, so it must not depend on the number of tasks.
    HeadSums total =
        HeadSums.total(
            results.stream()
                .sorted(Comparator.comparingInt(HeadImportanceTask.Result::number))
                .map(HeadImportanceTask.Result::sums)
                .toList());
    ModelCheck.requireFinite(model.getName(), total.notFinite(), total.rows());
    return total;
  }
}
