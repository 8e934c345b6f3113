package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/**
 * The rows of a corpus, each with its key.
 *
 * <p>Keys come from the user's id column or are {@code file:ordinal}: the path of the file relative
 * to the common directory of the named paths, and the number of the row in the file, from 0.
 * Headers, empty lines of CSV, and blank lines of TSV and JSON are not counted; records that cannot
 * be read are. Ordinals take two passes: the first counts the rows of every block, the second
 * numbers them. No text is shuffled.
 */
public final class Corpus {
  private static final int RANGES = 16;
  private static final int MAX_RANGES = 10_000;

  private final JavaRDD<SourceRow> rows;
  private final long rowCount;
  private final long blankRows;
  private final InvalidRows broken;

  private Corpus(JavaRDD<SourceRow> rows, long rowCount, long blankRows, InvalidRows broken) {
    this.rows = rows;
    this.rowCount = rowCount;
    this.blankRows = blankRows;
    this.broken = broken;
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
      return open(spark, spec, labelled);
    }
    Corpus unlabelled = openUnlabelled(spark, spec, others);
    return labelled.files().isEmpty()
        ? unlabelled
        : open(spark, spec, labelled).and(unlabelled, spec);
  }

  private static Corpus open(SparkSession spark, CorpusSpec spec, CorpusFiles files) {
    return of(spec, files, CorpusTable.open(spark, spec, files, mostBytes(spark)));
  }

  private static long mostBytes(SparkSession spark) {
    return spark.sessionState().conf().filesMaxPartitionBytes();
  }

  private static Corpus openUnlabelled(SparkSession spark, CorpusSpec spec, CorpusFiles files) {
    try {
      return open(spark, unlabelled(spec, files), files).withoutLabels();
    } catch (StillhouseException e) {
      throw inUnlabelled(e);
    }
  }

  private static CorpusSpec unlabelled(CorpusSpec spec, CorpusFiles files) {
    return spec.ofUnlabelled(files.files().stream().map(String::valueOf).toList());
  }

  private Corpus withoutLabels() {
    return new Corpus(rows.map(SourceRow::withoutLabel), rowCount, blankRows, broken);
  }

  private Corpus and(Corpus other, CorpusSpec spec) {
    JavaRDD<SourceRow> all = rows.union(other.rows);
    String id = spec.columns().id();
    if (id != null) {
      requireDistinctIds(all, id);
    }
    return new Corpus(
        all, rowCount + other.rowCount, blankRows + other.blankRows, broken.plus(other.broken));
  }

  /**
   * Returns the names of a table's columns, or their indices if its files have no header. The lines
   * of plain text are the column {@code value}.
   *
   * @throws StillhouseException if a path does not exist or the format is unknown
   */
  public static List<String> columns(SparkSession spark, CorpusSpec spec) {
    return CorpusTable.columns(spark, spec, CorpusFiles.list(spec.paths(), hadoop(spark))).all();
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
    long size = labelled.bytes();
    long more = others.bytes();
    // Labelled rows are usually few: they are read completely if they fit into half of the limit.
    long share = Math.min(size, Math.max(limit / 2, limit - more));
    Sample one = sample(spark, spec, labelled, share, seed);
    Sample two = sampleUnlabelled(spark, spec, others, limit - share, seed);
    return new Sample(
        one.corpus().and(two.corpus().withoutLabels(), spec),
        (size * one.share() + more * two.share()) / ((double) size + more),
        one.ranges() + two.ranges());
  }

  private static Sample sampleUnlabelled(
      SparkSession spark, CorpusSpec spec, CorpusFiles files, long limit, long seed) {
    try {
      return sample(spark, unlabelled(spec, files), files, limit, seed);
    } catch (StillhouseException e) {
      throw inUnlabelled(e);
    }
  }

  /** Returns an error that says which of the two settings names the files. */
  private static StillhouseException inUnlabelled(StillhouseException e) {
    return Errors.all(
        e.problems().stream()
            .map(problem -> "in the files of corpus.unlabelled: " + problem)
            .toList());
  }

  /**
   * Returns the format of the files, determined by their extensions if the spec does not name it.
   *
   * @throws StillhouseException if a path does not exist or the format is unknown
   */
  public static CorpusSpec.Format detectedFormat(SparkSession spark, CorpusSpec spec) {
    return spec.format() == CorpusSpec.Format.AUTO
        ? CorpusFiles.list(spec.paths(), hadoop(spark)).detectFormat()
        : spec.format();
  }

  private static Configuration hadoop(SparkSession spark) {
    return spark.sparkContext().hadoopConfiguration();
  }

  private static Sample sample(
      SparkSession spark, CorpusSpec spec, CorpusFiles files, long limit, long seed) {
    long bytes = files.bytes();
    if (spec.limit() > 0 || bytes <= limit) {
      return new Sample(open(spark, spec, files), 1, 1);
    }
    CorpusTable table =
        CorpusTable.open(spark, spec, files, Math.max(limit / RANGES, bytes / MAX_RANGES));
    SampledRanges ranges = SampledRanges.draw(table.bytes(), RANGES, seed);
    return new Sample(of(spec, files, ranges.of(table)), ranges.share(), ranges.count());
  }

  private static Corpus of(CorpusSpec spec, CorpusFiles files, CorpusTable table) {
    BlockOrdinals ordinals = BlockOrdinals.count(table.rows(), files);
    if (ordinals.rowCount() == 0) {
      throw noRows(spec);
    }
    if (ordinals.broken().count() < ordinals.rowCount()) {
      table.requireSeen(ordinals.present());
    }
    CorpusSpec.Columns columns = spec.columns();
    long limit = spec.limit();
    JavaRDD<SourceRow> rows =
        table
            .rows()
            .mapPartitions(partition -> new NumberedRows(partition, ordinals, columns, limit));
    if (columns.id() != null) {
      requireDistinctIds(rows, columns.id());
    }
    return limit > 0 && limit < ordinals.rowCount()
        ? new Corpus(rows, limit, rows.filter(Corpus::isBlank).count(), broken(rows))
        : new Corpus(rows, ordinals.rowCount(), ordinals.blankRows(), ordinals.broken());
  }

  static StillhouseException noRows(CorpusSpec spec) {
    return Errors.invalid(
        format("the corpus %s has no rows", spec.paths()), "name files with text");
  }

  private static boolean isBlank(SourceRow row) {
    return row.problem() == null && row.text().isEmpty();
  }

  private static InvalidRows broken(JavaRDD<SourceRow> rows) {
    return rows.flatMap(
            row ->
                row.problem() == null
                    ? List.<InvalidRows>of().iterator()
                    : List.of(InvalidRows.of(row.problem(), 1, row.key())).iterator())
        .fold(InvalidRows.NONE, InvalidRows::plus);
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

  /** Returns the rows that cannot be read. They are among {@link #rows}, without text. */
  public InvalidRows broken() {
    return broken;
  }

  private static void requireDistinctIds(JavaRDD<SourceRow> rows, String column) {
    long missing = rows.filter(row -> row.key().isEmpty()).count();
    if (missing > 0) {
      throw Errors.invalid(
          format("%d rows have no id in column '%s'", missing, column),
          "give every row an id, or omit corpus.id: rows are then keyed by file and row number");
    }
    JavaPairRDD<String, Long> repeated =
        rows.mapToPair(row -> new Tuple2<>(row.key(), 1L))
            .reduceByKey(Long::sum)
            .filter(idAndCount -> idAndCount._2 > 1);
    List<String> first = repeated.keys().takeOrdered(1);
    if (!first.isEmpty()) {
      throw Errors.invalid(
          format(
              "%d ids in column '%s' occur in more than one row, such as '%s'",
              repeated.count(), column, first.get(0)),
          "make ids unique, or omit corpus.id: rows are then keyed by file and row number");
    }
  }

  /** Returns the text of a cell, or an empty string if it is missing or blank. */
  static String textOf(@Nullable String cell) {
    return cell == null || cell.isBlank() ? "" : cell;
  }
}
