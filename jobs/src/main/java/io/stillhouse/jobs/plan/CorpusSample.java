package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.ListText;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.text.Segmenter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.util.hashing.MurmurHash3$;

/**
 * A seeded sample of a corpus, as tables of rows in random order.
 *
 * @param table the sample
 * @param pieces the rows of the sample that have text; long prose is truncated, so that a few rows
 *     hold few tokens
 * @param pieceRows number of rows of {@code pieces}
 * @param factor size of the corpus over that of the sample, in characters
 * @param basis how the size of the corpus was determined
 * @param leftOut how many rows of the part that was read are broken, and why; empty if none
 */
record CorpusSample(
    Path table,
    Path pieces,
    long pieceRows,
    double factor,
    String basis,
    Optional<String> leftOut) {
  private static final String COUNTED = "counted";

  /** Maximum size of a corpus that is read completely; a larger one is read in part. */
  private static final long WHOLE_BYTES = 64L << 20;

  /** Characters of the sample, about 250,000 tokens. */
  private static final double CHARACTERS = 1e6;

  /** More characters than a token has, so that a truncated text still has the maximum length. */
  private static final int CHARACTERS_OF_TOKEN = 32;

  private static final StructType SCHEMA =
      new StructType()
          .add("key", DataTypes.StringType)
          .add("text", DataTypes.StringType)
          .add("pair", DataTypes.StringType)
          .add("label", DataTypes.StringType);

  /** Draws a sample and writes it into the scratch directory. */
  static CorpusSample draw(SparkSession spark, Settings settings, Scratch scratch) {
    return draw(spark, settings, scratch, WHOLE_BYTES, CHARACTERS);
  }

  static CorpusSample draw(
      SparkSession spark, Settings settings, Scratch scratch, long wholeBytes, double characters) {
    CorpusSpec spec = Recipe.cachedCorpus(settings);
    long seed = settings.get(Options.CACHE_SEED);
    Corpus.Sample sample = Corpus.sample(spark, spec, wholeBytes, seed);
    InvalidRows broken = sample.corpus().broken();
    InvalidRowPolicy.of(settings).check(broken, sample.corpus().rowCount());
    JavaRDD<SourceRow> all =
        labelled(sample.corpus().rows().filter(row -> row.problem() == null), spec);
    int longest = CHARACTERS_OF_TOKEN * settings.get(Options.MAX_LENGTH);
    // Only the start of a row that will be truncated counts; a row that will be split counts in
    // full.
    int counted = splits(RowTokenizer.cut(settings, spec)) ? Integer.MAX_VALUE : longest;
    double size = all.mapToDouble(row -> size(row, counted)).sum();
    double share = Math.min(1, characters / Math.max(1, size));
    JavaRDD<SourceRow> some = share < 1 ? all.sample(false, share, seed) : all;
    if (share < 1 && some.isEmpty()) {
      some = one(spark, all, seed);
    }
    Path table = scratch.path("sample.parquet");
    Path pieces = scratch.path("pieces.parquet");
    write(spark, some, (int) seed, table);
    Dataset<Row> cut =
        spark
            .read()
            .parquet(table.toString())
            .filter("trim(text) <> ''")
            .withColumn("text", functions.substring(functions.col("text"), 0, longest))
            .coalesce(1);
    cut.write().mode(SaveMode.Overwrite).parquet(pieces.toString());
    double drawn = share < 1 ? some.mapToDouble(row -> size(row, counted)).sum() : size;
    return new CorpusSample(
        table,
        pieces,
        cut.count(),
        size / drawn / sample.share(),
        basis(sample, share),
        InvalidRowPolicy.line(broken, sample.corpus().rowCount()));
  }

  private static boolean splits(RowTokenizer.Cut cut) {
    return cut.mode() != Segmenter.Mode.ROW || cut.tooLong() == Segmenter.TooLong.SPLIT;
  }

  /** Gives unlabelled rows the label of another row: the probes measure time and bytes alone. */
  private static JavaRDD<SourceRow> labelled(JavaRDD<SourceRow> rows, CorpusSpec spec) {
    if (spec.unlabelled().isEmpty()) {
      return rows;
    }
    String any =
        rows.filter(row -> row.label() != null).take(1).stream()
            .map(SourceRow::label)
            .findFirst()
            .orElse(null);
    return rows.map(
        row -> row.unlabelled() ? new SourceRow(row.key(), row.text(), row.pair(), any) : row);
  }

  private static double size(SourceRow row, int limit) {
    int pair = row.pair() == null ? 0 : Math.min(limit, row.pair().length());
    return Math.min(limit, row.text().length()) + pair;
  }

  private static JavaRDD<SourceRow> one(SparkSession spark, JavaRDD<SourceRow> all, long seed) {
    List<SourceRow> drawn = all.takeSample(false, 1, seed);
    return JavaSparkContext.fromSparkContext(spark.sparkContext()).parallelize(drawn, 1);
  }

  private static void write(SparkSession spark, JavaRDD<SourceRow> rows, int seed, Path table) {
    JavaRDD<Row> shuffled =
        rows.sortBy(row -> MurmurHash3$.MODULE$.stringHash(row.key(), seed), true, 1)
            .map(r -> RowFactory.create(r.key(), r.text(), r.pair(), r.label()));
    spark
        .createDataFrame(shuffled, SCHEMA)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(table.toString());
  }

  private static String basis(Corpus.Sample sample, double share) {
    String read =
        sample.share() < 1
            ? format(
                "%d byte ranges read, %.2f %% of the bytes", sample.ranges(), 100 * sample.share())
            : "all of it read";
    return share < 1
        ? format("estimated: %s, %.2f %% of those characters tokenized", read, 100 * share)
        : sample.share() < 1 ? format("estimated: %s and tokenized", read) : COUNTED;
  }

  /** Returns whether the sample is the whole corpus. */
  boolean isComplete() {
    return basis.equals(COUNTED);
  }

  /** Returns a recipe whose corpus is a table of the sample. */
  static Settings recipe(Settings settings, Path table) {
    CorpusSpec spec = Recipe.corpus(settings);
    RowTokenizer.Cut cut = RowTokenizer.cut(settings, spec);
    Map<String, String> values = new TreeMap<>();
    values.put(Options.CORPUS_PATH.key(), ListText.write(List.of(table.toString())));
    values.put(Options.CORPUS_UNLABELLED.key(), "[]");
    values.put(Options.CORPUS_FORMAT.key(), "parquet");
    values.put(Options.CORPUS_TEXT.key(), "text");
    values.put(Options.CORPUS_ID.key(), "key");
    values.put(Options.CORPUS_PAIR.key(), spec.columns().pair() == null ? "" : "pair");
    values.put(Options.CORPUS_LABEL.key(), Recipe.labelled(settings) ? "label" : "");
    values.put(Options.CORPUS_LIMIT.key(), "0");
    values.put(Options.CORPUS_SEGMENT.key(), cut.mode().name().toLowerCase(Locale.ROOT));
    values.put(Options.CORPUS_TOO_LONG.key(), cut.tooLong().name().toLowerCase(Locale.ROOT));
    values.put(Options.INVALID_ROWS.key(), "skip"); // they are counted in the sample's inputs
    values.put(Options.MAX_INVALID.key(), "1");
    values.put(
        Options.CACHE_WINDOW.key(), "0"); // no student reads the probe's cache while it is written
    values.put(Options.TEACHER_NAME.key(), ""); // the probe's cache has one teacher
    return settings.with(values);
  }
}
