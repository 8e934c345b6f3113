package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.lower;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.regexp_replace;
import static org.apache.spark.sql.functions.row_number;
import static org.apache.spark.sql.functions.trim;
import static org.apache.spark.sql.functions.xxhash64;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.text.ClassNames;
import io.stillhouse.text.LabelCodec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
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
  private static final String DRAWN = "drawn";
  private static final String RESULT = "split.json";

  private static final double SHARE = 0.1;
  private static final long FEWEST = 200;
  private static final long MOST = 2000;
  private static final long FEWEST_ROWS = 20;

  /** The driver looks at the distinct labels if there are not more than this. */
  private static final long MOST_LABELS = 100_000;

  private static final String NUMBER = "^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$";

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
   * @param classes number of training rows by class, or by label of multi-label rows; empty for a
   *     regression
   * @param files the files of the table, {@code corpus.unlabelled} and {@code distill.validation}
   * @param leftOut how many invalid rows were left out, and why, one line each
   */
  record Result(
      TableColumns columns,
      String task,
      Map<String, Long> classes,
      Rows rows,
      List<CorpusFile> files,
      List<String> leftOut) {}

  /**
   * Numbers of rows.
   *
   * @param repeated rows that were left out because their text is held out
   */
  record Rows(long train, long validation, long unlabelled, long repeated) {}

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
      Result before = DistillDirectory.read(storage, file, Result.class);
      requireUnchanged(before);
      return before;
    }
    TableColumns columns = TableColumns.of(spark, settings);
    Settings named = columns.in(settings);
    try {
      Result result = write(columns, named);
      storage.writeJson(file, result);
      return result;
    } finally {
      for (String part : List.of(ALL, DRAWN)) {
        storage.fileSystem(directory).delete(new Path(directory, part), true);
      }
    }
  }

  private void requireUnchanged(Result before) throws IOException {
    List<CorpusFile> now = files(before.columns().in(settings));
    if (!now.equals(before.files())) {
      String changed =
          Stream.concat(now.stream(), before.files().stream())
              .filter(file -> !now.contains(file) || !before.files().contains(file))
              .map(CorpusFile::name)
              .findFirst()
              .orElse("");
      throw Errors.invalid(
          format(
              "the files of the table have changed since '%s' was written, such as '%s'",
              directory, changed),
          "restore them, or use another directory");
    }
  }

  private List<CorpusFile> files(Settings named) throws IOException {
    List<CorpusFile> files =
        new ArrayList<>(
            CorpusFile.hash(
                storage, CorpusFiles.list(Recipe.cachedCorpus(named), storage.hadoop())));
    List<String> validation = settings.get(Options.DISTILL_VALIDATION);
    if (!validation.isEmpty()) {
      files.addAll(CorpusFile.hash(storage, CorpusFiles.list(validation, storage.hadoop())));
    }
    return files;
  }

  private Result write(TableColumns columns, Settings named) throws IOException {
    List<CorpusFile> files = files(named);
    List<String> leftOut = new ArrayList<>();
    JavaRDD<SourceRow> rows = Corpus.read(spark, Recipe.cachedCorpus(named)).rows();
    table(rows, false)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(new Path(directory, ALL).toString());
    Dataset<Row> sound = valid(spark.read().parquet(new Path(directory, ALL).toString()), leftOut);
    Dataset<Row> labelled = sound.filter(col("label").isNotNull());
    String task = task(labelled, columns.label());
    Map<String, Long> labels = task.equals("regression") ? Map.of() : counts(labelled);
    long many = labelled.count();
    if (many < FEWEST_ROWS) {
      throw Errors.invalid(
          format(
              "the table has %d rows with a text and a label, but at least %d are needed",
              many, FEWEST_ROWS),
          "label more rows");
    }
    boolean drawn = settings.get(Options.DISTILL_VALIDATION).isEmpty();
    write(
        DRAWN,
        drawn
            ? draw(labelled, labels, many, task.equals("classification"))
            : given(named, leftOut));
    write(TRAIN, without(labelled, read(DRAWN)));
    List<String> untrained = untrained(task);
    if (!untrained.isEmpty() && !drawn && settings.get(Options.CORPUS_LIMIT) == 0) {
      throw Errors.invalid(
          format(
              "distill.validation has rows with %d labels that no training row has, such as '%s'",
              untrained.size(), untrained.get(0)),
          "label training rows of these classes, or remove the held-out rows that have them");
    }
    write(VALIDATION, read(DRAWN).filter(not(col("label").isin(untrained.toArray()))));
    if (drawn && !untrained.isEmpty()) { // these rows are trained on instead
      write(TRAIN, without(labelled, read(VALIDATION)));
    }
    write(UNLABELLED, without(sound.filter(col("label").isNull()), read(VALIDATION)));
    Rows counted = count(sound.count(), drawn);
    Map<String, Long> classes =
        task.equals("regression") ? Map.of() : names(counts(read(TRAIN)), task);
    return new Result(columns, task, classes, counted, files, leftOut);
  }

  /** Returns the task of the labels, as {@code finetune.task} names it. */
  private String task(Dataset<Row> labelled, String column) {
    if (settings.has(Options.FINETUNE_TASK)) {
      return settings.get(Options.FINETUNE_TASK);
    }
    long distinct = labelled.select("label").distinct().count();
    if (distinct <= MOST_LABELS) {
      return TableLabels.task(counts(labelled), column);
    }
    if (labelled.filter(not(col("label").rlike(NUMBER))).isEmpty()) {
      return "regression";
    }
    throw TableLabels.noClasses(column, distinct, labelled.count());
  }

  /** Returns the labels of held-out rows, as written, that name a class of no training row. */
  private List<String> untrained(String task) {
    if (task.equals("regression")) {
      return List.of();
    }
    Set<String> trained = names(counts(read(TRAIN)), task).keySet();
    return counts(read(DRAWN)).keySet().stream()
        .filter(label -> !trained.containsAll(names(Map.of(label, 1L), task).keySet()))
        .toList();
  }

  /** Returns the number of rows of each class, or of each label of multi-label rows. */
  private static Map<String, Long> names(Map<String, Long> labels, String task) {
    if (!task.equals("multi-label")) {
      return labels;
    }
    Map<String, Long> names = new TreeMap<>();
    labels.forEach(
        (label, count) ->
            LabelCodec.split(label).forEach(name -> names.merge(name, count, Long::sum)));
    return names;
  }

  private Rows count(long sound, boolean drawn) {
    long train = read(TRAIN).count();
    long validation = read(VALIDATION).count();
    long unlabelled = read(UNLABELLED).count();
    if (validation == 0) {
      throw Errors.invalid(
          drawn
              ? "no row can be held out, because each class has only one text"
              : "distill.validation has no row whose class is among those of the training rows",
          "label more rows of each class, or set distill.validation to other rows");
    }
    return new Rows(
        train, validation, unlabelled, sound - train - unlabelled - (drawn ? validation : 0));
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
  private Dataset<Row> table(JavaRDD<SourceRow> rows, boolean labelNeeded) {
    boolean multiLabel = settings.get(Options.FINETUNE_TASK).equals("multi-label");
    return spark.createDataFrame(
        rows.map(row -> cells(row, multiLabel, labelNeeded)),
        SCHEMA.add(PROBLEM, DataTypes.StringType));
  }

  private static Row cells(SourceRow row, boolean multiLabel, boolean labelNeeded) {
    String pair = row.pair();
    boolean empty = row.text().isEmpty() || (pair != null && pair.isEmpty());
    String problem = row.problem() == null && empty ? InvalidRows.EMPTY : row.problem();
    String label = row.label() == null ? "" : ClassNames.canonical(row.label());
    // A multi-label row of a labelled file may have no label.
    boolean labelled = !row.unlabelled() && (multiLabel || !label.isEmpty());
    if (problem == null && labelNeeded && !labelled) {
      problem = InvalidRows.NO_LABEL;
    }
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
    Dataset<Row> rows = valid(table(Corpus.read(spark, spec).rows(), true), lines);
    lines.forEach(line -> leftOut.add("held-out rows: " + line));
    return rows;
  }

  /** Returns the rows whose text is not held out; case and white space do not matter. */
  private static Dataset<Row> without(Dataset<Row> rows, Dataset<Row> heldOut) {
    Dataset<Row> texts =
        heldOut.select(plain("text").as("heldText"), plain("pair").as("heldPair")).distinct();
    return rows.join(
        texts,
        plain("text").equalTo(col("heldText")).and(plain("pair").equalTo(col("heldPair"))),
        "left_anti");
  }

  private static Column plain(String column) {
    return lower(trim(regexp_replace(coalesce(col(column), lit("")), "\\s+", " ")));
  }

  private void write(String part, Dataset<Row> rows) {
    rows.orderBy("id")
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(new Path(directory, part).toString());
  }

  private Dataset<Row> read(String part) {
    return spark.read().schema(SCHEMA).parquet(new Path(directory, part).toString());
  }
}
