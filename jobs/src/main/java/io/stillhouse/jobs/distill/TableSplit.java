package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.xxhash64;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Divides a table into rows to train on, rows that are held out, and rows without labels, and
 * writes them as Parquet with the columns id, text, pair and label. No text is both held out and in
 * another part.
 */
final class TableSplit {
  static final String TRAIN = "train";
  static final String VALIDATION = "validation";
  static final String UNLABELLED = "unlabelled";

  private static final String ALL = "table";
  private static final String RESULT = "split.json";

  private static final double SHARE = 0.1;
  private static final long FEWEST = 200;
  private static final long MOST = 2000;
  private static final long FEWEST_ROWS = 20;

  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("text", DataTypes.StringType)
          .add("pair", DataTypes.StringType)
          .add("label", DataTypes.StringType);

  /** The column with the reason why a row is left out; null if the row is valid. */
  private static final String PROBLEM = "problem";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path directory;

  /**
   * What the parts hold.
   *
   * @param task the task, as {@code finetune.task} names it
   * @param classes number of training rows by label; empty for a regression
   * @param repeated number of rows left out because their text is held out
   * @param leftOut how many invalid rows were left out, and why, one line each
   */
  record Result(
      TableColumns columns,
      String task,
      Map<String, Long> classes,
      long train,
      long validation,
      long unlabelled,
      long repeated,
      List<String> leftOut) {}

  /**
   * Creates a split that is not written yet.
   *
   * @param settings settings whose corpus is the table, and that name its columns
   * @param directory the directory of the parts
   */
  TableSplit(SparkSession spark, Settings settings, Storage storage, Path directory) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.directory = directory;
  }

  /**
   * Returns the split, which is written unless it exists.
   *
   * @throws io.stillhouse.error.StillhouseException if the columns are not obvious, more rows are
   *     invalid than allowed, there are too few labelled rows, or their labels fit no task
   */
  Result run() throws IOException {
    Path file = new Path(directory, RESULT);
    if (storage.exists(file)) {
      return Storage.JSON.fromJson(storage.readText(file), Result.class);
    }
    TableColumns columns = TableColumns.of(spark, settings);
    Settings named = columns.in(settings);
    try {
      Result result = write(columns, named);
      storage.writeJson(file, result);
      return result;
    } finally {
      storage.fileSystem(directory).delete(new Path(directory, ALL), true);
    }
  }

  private Result write(TableColumns columns, Settings named) throws IOException {
    List<String> leftOut = new ArrayList<>();
    JavaRDD<SourceRow> rows = Corpus.read(spark, Recipe.cachedCorpus(named)).rows();
    table(rows).write().mode(SaveMode.Overwrite).parquet(new Path(directory, ALL).toString());
    Dataset<Row> sound = valid(spark.read().parquet(new Path(directory, ALL).toString()), leftOut);
    Dataset<Row> labelled = sound.filter(col("label").isNotNull());
    Map<String, Long> labels = counts(labelled);
    String task =
        settings.has(Options.FINETUNE_TASK)
            ? settings.get(Options.FINETUNE_TASK)
            : TableLabels.task(labels, columns.label());
    boolean classes = task.equals("classification");
    long many = labels.values().stream().mapToLong(Long::longValue).sum();
    if (many < FEWEST_ROWS) {
      throw Errors.invalid(
          format(
              "the table has %d rows with a text and a label, but at least %d are needed",
              many, FEWEST_ROWS),
          "label more rows");
    }
    Dataset<Row> heldOut =
        settings.get(Options.DISTILL_VALIDATION).isEmpty()
            ? draw(labelled, labels, many, classes)
            : given(named, leftOut);
    write(VALIDATION, heldOut);
    write(TRAIN, without(labelled, read(VALIDATION)));
    if (classes && settings.get(Options.CORPUS_LIMIT) > 0) { // it may leave out whole classes
      heldOut = read(VALIDATION).join(read(TRAIN).select("label").distinct(), "label").cache();
      heldOut.count();
      write(VALIDATION, heldOut.select("id", "text", "pair", "label"));
    }
    Dataset<Row> validation = read(VALIDATION);
    write(UNLABELLED, without(sound.filter(col("label").isNull()), validation));
    Map<String, Long> trained = classes ? counts(read(TRAIN)) : Map.of();
    if (classes) {
      requireKnown(counts(validation), trained);
    }
    long kept = read(TRAIN).count() + read(UNLABELLED).count();
    long drawn = settings.get(Options.DISTILL_VALIDATION).isEmpty() ? validation.count() : 0;
    return new Result(
        columns,
        task,
        trained,
        read(TRAIN).count(),
        validation.count(),
        read(UNLABELLED).count(),
        sound.count() - kept - drawn,
        leftOut);
  }

  /** Returns the valid rows, and adds a line about the others if there are any. */
  private Dataset<Row> valid(Dataset<Row> table, List<String> leftOut) {
    InvalidRows invalid =
        table
            .filter(col(PROBLEM).isNotNull())
            .select(PROBLEM, "id")
            .javaRDD()
            .map(row -> InvalidRows.of(row.getString(0), 1, row.getString(1)))
            .fold(InvalidRows.NONE, InvalidRows::plus);
    long rows = table.count();
    InvalidRowPolicy.of(settings).check(invalid, rows);
    InvalidRowPolicy.line(invalid, rows).ifPresent(leftOut::add);
    return table.filter(col(PROBLEM).isNull()).drop(PROBLEM);
  }

  /** Returns a table of rows with their problems; the label is null if there is none. */
  private Dataset<Row> table(JavaRDD<SourceRow> rows) {
    boolean multiLabel = settings.get(Options.FINETUNE_TASK).equals("multi-label");
    return spark.createDataFrame(
        rows.map(row -> cells(row, multiLabel)), SCHEMA.add(PROBLEM, DataTypes.StringType));
  }

  private static Row cells(SourceRow row, boolean multiLabel) {
    String pair = row.pair();
    boolean empty = row.text().isEmpty() || (pair != null && pair.isEmpty());
    String problem = row.problem() == null && empty ? InvalidRows.EMPTY : row.problem();
    String label = row.label() == null ? "" : ClassNames.canonical(row.label());
    // A multi-label row of a labelled file may have no label.
    boolean labelled = !row.unlabelled() && (multiLabel || !label.isEmpty());
    return RowFactory.create(row.key(), row.text(), pair, labelled ? label : null, problem);
  }

  private static Map<String, Long> counts(Dataset<Row> labelled) {
    Map<String, Long> counts = new TreeMap<>();
    labelled
        .groupBy("label")
        .count()
        .collectAsList()
        .forEach(row -> counts.put(row.getString(0), row.getLong(1)));
    return counts;
  }

  /** Draws held-out rows by a seed: the same share of each class that has at least two rows. */
  private Dataset<Row> draw(
      Dataset<Row> labelled, Map<String, Long> labels, long many, boolean classes) {
    double wanted = Math.min(many / 2.0, Math.max(FEWEST, Math.min(MOST, SHARE * many)));
    double share = wanted / many;
    Column stratum = classes ? col("label") : lit("");
    List<Row> quotas = new ArrayList<>();
    if (classes) {
      labels.forEach(
          (label, count) ->
              quotas.add(
                  RowFactory.create(
                      label, count < 2 ? 0L : Math.max(1, Math.round(share * count)))));
    } else {
      quotas.add(RowFactory.create("", Math.round(wanted)));
    }
    Dataset<Row> quota =
        spark.createDataFrame(
            quotas,
            new StructType().add("stratum", DataTypes.StringType).add("quota", DataTypes.LongType));
    return labelled
        .withColumn("stratum", stratum)
        .withColumn(
            "rank", row_number().over(Window.partitionBy("stratum").orderBy(hash(), col("id"))))
        .join(quota, "stratum")
        .filter(col("rank").leq(col("quota")))
        .select("id", "text", "pair", "label");
  }

  /** Returns a number that depends only on the seed and a row's texts. */
  private Column hash() {
    return xxhash64(lit(settings.get(Options.SEED)), col("text"), coalesce(col("pair"), lit("")));
  }

  /** Reads the user's held-out rows. */
  private Dataset<Row> given(Settings named, List<String> leftOut) {
    CorpusSpec spec = Recipe.corpus(named, settings.get(Options.DISTILL_VALIDATION));
    List<String> lines = new ArrayList<>();
    Dataset<Row> rows = valid(table(Corpus.read(spark, spec).rows()), lines);
    lines.forEach(line -> leftOut.add("held-out rows: " + line));
    return rows.filter(col("label").isNotNull());
  }

  private static Dataset<Row> without(Dataset<Row> rows, Dataset<Row> heldOut) {
    Dataset<Row> texts =
        heldOut
            .select(col("text").as("heldText"), coalesce(col("pair"), lit("")).as("heldPair"))
            .distinct();
    return rows.join(
        texts,
        col("text")
            .equalTo(col("heldText"))
            .and(coalesce(col("pair"), lit("")).equalTo(col("heldPair"))),
        "left_anti");
  }

  private void requireKnown(Map<String, Long> heldOut, Map<String, Long> trained) {
    List<String> unknown =
        heldOut.keySet().stream().filter(label -> !trained.containsKey(label)).toList();
    if (!unknown.isEmpty()) {
      throw Errors.invalid(
          format(
              "the held-out rows have %d classes that no training row has, such as '%s'",
              unknown.size(), unknown.get(0)),
          "label training rows of these classes, or remove the held-out rows that have them");
    }
  }

  private void write(String part, Dataset<Row> rows) {
    rows.orderBy(trim(col("id")))
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(new Path(directory, part).toString());
  }

  private Dataset<Row> read(String part) {
    return spark.read().schema(SCHEMA).parquet(new Path(directory, part).toString());
  }
}
