package io.stillhouse.jobs.corpus;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/**
 * The rows of a corpus, each with its key.
 *
 * <p>Keys come from the user's id column or are {@code file:ordinal}: the path of the file relative
 * to the common directory of the named paths, and the number of the row in the file, from 0.
 * Headers, and blank lines that Spark skips in CSV, TSV and JSON, are not counted. Ordinals take
 * two passes: the first counts the rows of every block, the second numbers them. No text is
 * shuffled.
 */
public final class Corpus {
  /** Spark's setting for the maximum size of a byte range. */
  private static final String RANGE_BYTES = "spark.sql.files.maxPartitionBytes";

  private static final int RANGES = 16;
  private static final int MAX_RANGES = 10_000;
  private static final String OTHER_HEADER = "CSV header does not conform to the schema";

  private final JavaRDD<SourceRow> rows;
  private final long rowCount;
  private final long blankRows;

  private Corpus(JavaRDD<SourceRow> rows, long rowCount, long blankRows) {
    this.rows = rows;
    this.rowCount = rowCount;
    this.blankRows = blankRows;
  }

  /**
   * Opens a corpus: finds its files and columns, and counts its rows.
   *
   * @throws StillhouseException if a path or column does not exist, the format is unknown, there
   *     are no rows, or two rows share an id
   */
  public static Corpus read(SparkSession spark, CorpusSpec spec) {
    return read(spark, spec, CorpusFiles.list(spec, hadoop(spark)));
  }

  /** Like {@link #read(SparkSession, CorpusSpec)}, but reads only files that are already listed. */
  public static Corpus read(SparkSession spark, CorpusSpec spec, CorpusFiles files) {
    CorpusFiles labelled = files.labelledFiles();
    CorpusFiles others = files.unlabelledFiles();
    if (others.files().isEmpty()) {
      return of(spec, labelled, table(spark, spec, labelled));
    }
    CorpusSpec without = spec.ofUnlabelled(others.paths());
    Corpus unlabelled = of(without, others, table(spark, without, others)).withoutLabels();
    return labelled.files().isEmpty()
        ? unlabelled
        : of(spec, labelled, table(spark, spec, labelled)).and(unlabelled, spec);
  }

  private Corpus withoutLabels() {
    return new Corpus(rows.map(SourceRow::withoutLabel), rowCount, blankRows);
  }

  private Corpus and(Corpus other, CorpusSpec spec) {
    JavaRDD<SourceRow> all = rows.union(other.rows);
    String id = spec.columns().id();
    if (id != null) {
      requireDistinctIds(all, id);
    }
    return new Corpus(all, rowCount + other.rowCount, blankRows + other.blankRows);
  }

  /**
   * Returns the names of a table's columns, or their indices if its files have no header.
   *
   * @throws StillhouseException if a path does not exist or the format is unknown
   */
  public static List<String> columns(SparkSession spark, CorpusSpec spec) {
    CorpusFiles files = CorpusFiles.list(spec.paths(), hadoop(spark));
    Format format = spec.format() == Format.AUTO ? files.detectFormat() : spec.format();
    return CorpusTable.columns(spark, spec, format, files);
  }

  /**
   * A part of a corpus.
   *
   * @param share share of the corpus's bytes that were read; 1 for all
   * @param ranges number of byte ranges that were read
   */
  public record Sample(Corpus corpus, double share, int ranges) {}

  /**
   * Reads part of a large corpus: some of the byte ranges into which Spark splits its files, drawn
   * with a seed. A corpus that is small or has a limit is read completely. Keys count rows from the
   * start of the part.
   *
   * @param limit number of bytes up to which a corpus is read completely
   * @throws StillhouseException as for {@link #read}
   */
  public static Sample sample(SparkSession spark, CorpusSpec spec, long limit, long seed) {
    CorpusFiles files = CorpusFiles.list(spec, hadoop(spark));
    CorpusFiles others = files.unlabelledFiles();
    if (others.files().isEmpty()) {
      return sample(spark, spec, files, limit, seed);
    }
    CorpusFiles labelled = files.labelledFiles();
    double size = labelled.bytes(hadoop(spark));
    double more = others.bytes(hadoop(spark));
    long share = (long) (limit * size / (size + more));
    Sample one = sample(spark, spec, labelled, share, seed);
    Sample two = sample(spark, spec.ofUnlabelled(others.paths()), others, limit - share, seed);
    return new Sample(
        one.corpus().and(two.corpus().withoutLabels(), spec),
        (size * one.share() + more * two.share()) / (size + more),
        one.ranges() + two.ranges());
  }

  private static Configuration hadoop(SparkSession spark) {
    return spark.sparkContext().hadoopConfiguration();
  }

  private static Sample sample(
      SparkSession spark, CorpusSpec spec, CorpusFiles files, long limit, long seed) {
    String cut = spark.conf().get(RANGE_BYTES);
    long bytes = files.bytes(hadoop(spark));
    if (spec.limit() > 0 || bytes <= limit) {
      return new Sample(of(spec, files, table(spark, spec, files)), 1, 1);
    }
    spark.conf().set(RANGE_BYTES, Math.max(limit / RANGES, bytes / MAX_RANGES));
    try {
      JavaRDD<Row> table = table(spark, spec, files);
      SampledRanges ranges = SampledRanges.draw(table, RANGES, seed);
      return new Sample(of(spec, files, ranges.of(table)), ranges.share(), ranges.count());
    } finally {
      spark.conf().set(RANGE_BYTES, cut);
    }
  }

  private static JavaRDD<Row> table(SparkSession spark, CorpusSpec spec, CorpusFiles files) {
    Format format = spec.format() == Format.AUTO ? files.detectFormat() : spec.format();
    return CorpusTable.open(spark, spec, format, files);
  }

  private static Corpus of(CorpusSpec spec, CorpusFiles files, JavaRDD<Row> table) {
    BlockOrdinals ordinals = countRows(table, files);
    if (ordinals.rowCount() == 0) {
      throw Errors.invalid(
          "the corpus %s has no rows".formatted(spec.paths()), "name files with text");
    }
    CorpusSpec.Columns columns = spec.columns();
    long limit = spec.limit();
    JavaRDD<SourceRow> rows =
        table.mapPartitions(partition -> new NumberedRows(partition, ordinals, columns, limit));
    boolean cut = limit > 0 && limit < ordinals.rowCount();
    if (columns.id() != null) {
      requireDistinctIds(rows, columns.id());
    }
    return new Corpus(
        rows,
        cut ? limit : ordinals.rowCount(),
        cut ? rows.filter(row -> row.text().isEmpty()).count() : ordinals.blankRows());
  }

  /**
   * Returns the rows, partitioned as Spark splits the files. Every computation reads the files
   * again.
   */
  public JavaRDD<SourceRow> rows() {
    return rows;
  }

  /** Returns the number of rows, including blank ones. */
  public long rowCount() {
    return rowCount;
  }

  /** Returns the number of rows whose text is missing or blank. */
  public long blankRows() {
    return blankRows;
  }

  private static BlockOrdinals countRows(JavaRDD<Row> table, CorpusFiles files) {
    try {
      return BlockOrdinals.count(table, files);
    } catch (Exception e) {
      // SparkException is checked but undeclared in Scala. On a cluster, the error of a task
      // arrives only as text.
      if (String.valueOf(e.getMessage()).contains(OTHER_HEADER)) {
        throw Errors.invalid(
            "the corpus's files have different header rows",
            "give all files the same columns in the same order, or name only files that agree",
            e);
      }
      throw e;
    }
  }

  private static void requireDistinctIds(JavaRDD<SourceRow> rows, String column) {
    long missing = rows.filter(row -> row.key().isEmpty()).count();
    if (missing > 0) {
      throw Errors.invalid(
          "%d rows have no id in column '%s'".formatted(missing, column),
          "give every row an id, or omit corpus.id: rows are then keyed by file and row number");
    }
    JavaPairRDD<String, Long> repeated =
        rows.mapToPair(row -> new Tuple2<>(row.key(), 1L))
            .reduceByKey(Long::sum)
            .filter(idAndCount -> idAndCount._2 > 1);
    List<String> first = repeated.keys().takeOrdered(1);
    if (!first.isEmpty()) {
      throw Errors.invalid(
          "%d ids in column '%s' occur in more than one row, such as '%s'"
              .formatted(repeated.count(), column, first.get(0)),
          "make ids unique, or omit corpus.id: rows are then keyed by file and row number");
    }
  }

  /** Returns the text of a cell, or an empty string if it is missing or blank. */
  static String textOf(@Nullable String cell) {
    return cell == null || cell.isBlank() ? "" : cell;
  }
}
