package io.stillhouse.jobs.cache;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.text.Corpus;
import io.stillhouse.jobs.text.SourceRow;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/**
 * Cuts a corpus into units, once. Rows are ordered by a hash of seed and key, so neighbours are
 * unrelated and the cut does not depend on how Spark reads the files; a unit then holds its rows by
 * length, so the teacher's batches waste little on padding.
 */
final class Planner {
  private static final int FEWEST_UNITS = 16;

  /** Under it a unit's files cost more than they spread. */
  private static final long LEAST_UNIT_TOKENS = 1024;

  private final SparkSession spark;
  private final Path cache;
  private final long mostUnitTokens;
  private final long seed;

  /** A row, and the hash it is ordered by. */
  private record Placed(String order, InputRow row) implements java.io.Serializable {}

  /** What planning leaves: units, a file of each, and the rows without tokens by reason. */
  record Planned(List<Plan.Unit> units, List<CacheFile> files, Map<String, Long> poison) {
    long rows() {
      return units.stream().mapToLong(Plan.Unit::rows).sum();
    }

    long tokens() {
      return units.stream().mapToLong(Plan.Unit::tokens).sum();
    }
  }

  /** What the task of one unit leaves. */
  private record Written(Plan.Unit unit, CacheFile file, Map<String, Long> poison)
      implements java.io.Serializable {}

  Planner(SparkSession spark, Path cache, long mostUnitTokens, long seed) {
    this.spark = spark;
    this.cache = cache;
    this.mostUnitTokens = mostUnitTokens;
    this.seed = seed;
  }

  /**
   * Writes the inputs of every unit; nothing counts until the plan is written.
   *
   * @param firstUnit the first unit's number
   */
  Planned write(Corpus corpus, Tokenising tokenising, int firstUnit) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    int parallelism = context.defaultParallelism();
    JavaRDD<SourceRow> source = corpus.rows();
    if (source.getNumPartitions() < parallelism) {
      source = source.repartition(parallelism);
    }
    long orderSeed = seed;
    JavaRDD<Placed> placed =
        source
            .mapPartitions(tokenising::of)
            .map(row -> new Placed(order(orderSeed, row.id()), row))
            .sortBy(Placed::order, true, Math.max(parallelism, source.getNumPartitions()))
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      List<Tuple2<Integer, Long>> sums =
          placed.mapPartitionsWithIndex(Planner::sum, false).collect();
      long[] starts = new long[placed.getNumPartitions() + 1];
      sums.forEach(sum -> starts[sum._1 + 1] = sum._2);
      for (int i = 1; i < starts.length; i++) {
        starts[i] += starts[i - 1];
      }
      long tokens = starts[starts.length - 1];
      long perUnit = unitTokens(mostUnitTokens, tokens);
      JavaPairRDD<Integer, Placed> byUnit =
          JavaPairRDD.fromJavaRDD(
              placed.mapPartitionsWithIndex(
                  (index, rows) -> units(starts[index], perUnit, rows), false));
      int units = Math.toIntExact(Math.max(1, (tokens + perUnit - 1) / perUnit));
      UnitWriter writer = new UnitWriter(cache.toString(), firstUnit);
      List<Written> written =
          new ArrayList<>(
              byUnit
                  .groupByKey(new HashPartitioner(Math.min(units, 4 * parallelism)))
                  .map(unit -> writer.write(unit._1, unit._2))
                  .collect());
      written.sort(Comparator.comparingInt(unit -> unit.unit().unit()));
      return planned(written, firstUnit);
    } finally {
      placed.unpersist();
    }
  }

  /**
   * Returns the tokens of a unit: a small corpus is cut finer, so that its units occupy several
   * cores. Only the corpus decides it.
   */
  static long unitTokens(long most, long corpusTokens) {
    return Math.min(most, Math.max(LEAST_UNIT_TOKENS, corpusTokens / FEWEST_UNITS + 1));
  }

  /** Numbers units without a gap: a row longer than a unit leaves one. */
  private static Planned planned(List<Written> written, int firstUnit) {
    List<Plan.Unit> units = new ArrayList<>();
    List<CacheFile> files = new ArrayList<>();
    Map<String, Long> poison = new TreeMap<>();
    for (Written one : written) {
      int number = firstUnit + units.size();
      Plan.Unit unit = one.unit();
      CacheFile file = one.file();
      units.add(new Plan.Unit(number, unit.rows(), unit.poison(), unit.tokens(), unit.keys()));
      files.add(
          new CacheFile(
              number, file.family(), file.path(), file.columns(), file.size(), file.hashes(), ""));
      one.poison().forEach((reason, rows) -> poison.merge(reason, rows, Long::sum));
    }
    return new Planned(units, files, poison);
  }

  /** Returns the SHA-256 of keys in order, a line each. */
  static String keys(List<String> ids) {
    MessageDigest digest = Storage.digest();
    ids.forEach(id -> digest.update((id + "\n").getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Reads the keys of a unit's rows from one of its files. */
  static List<String> keys(CheckedFile file, Storage storage) throws IOException {
    return ParquetRows.read(file, List.of(Targets.ID), storage.hadoop()).stream()
        .map(row -> (String) row[0])
        .toList();
  }

  private static Iterator<Tuple2<Integer, Long>> sum(Integer index, Iterator<Placed> rows) {
    long total = 0;
    while (rows.hasNext()) {
      total += rows.next().row().length();
    }
    return List.of(new Tuple2<>(index, total)).iterator();
  }

  private static Iterator<Tuple2<Integer, Placed>> units(
      long start, long perUnit, Iterator<Placed> rows) {
    return new Iterator<>() {
      private long at = start;
      private String last = "";

      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Tuple2<Integer, Placed> next() {
        Placed placed = rows.next();
        if (placed.order().equals(last)) { // equal keys are neighbours
          throw Errors.invalid(
              "two rows have the key '%s'".formatted(placed.row().id()),
              "give rows ids that are no piece of another, such as '%s'"
                  .formatted("row-" + placed.row().id().replace('#', '-')));
        }
        last = placed.order();
        int unit = (int) (at / perUnit);
        at += placed.row().length();
        return new Tuple2<>(unit, placed);
      }
    };
  }

  private static String order(long seed, String id) {
    MessageDigest digest = Storage.digest();
    digest.update((seed + "|" + id).getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest(), 0, 8) + id;
  }

  /** Writes the inputs of one unit, inside a task. */
  private record UnitWriter(String cache, int firstUnit) implements java.io.Serializable {
    Written write(int place, Iterable<Placed> placed) throws IOException {
      int unit = firstUnit + place;
      List<Placed> rows = new ArrayList<>();
      placed.forEach(rows::add);
      rows.sort(
          Comparator.<Placed>comparingInt(p -> p.row().length()).thenComparing(Placed::order));
      Storage storage = Storage.ofThisProcess();
      String path =
          "%s/unit-%06d-%s.parquet"
              .formatted(Family.INPUTS.id(), unit, UUID.randomUUID().toString().substring(0, 8));
      Path file = new Path(cache, path);
      long tokens = 0;
      Map<String, Long> poison = new TreeMap<>();
      try (ParquetWriter<Object[]> out =
          ParquetRows.writer(
              file,
              Targets.INPUTS,
              Map.of(Targets.META_VERSION, Integer.toString(Targets.VERSION)),
              storage.hadoop())) {
        for (Placed row : rows) {
          out.write(row.row().values());
          tokens += row.row().length();
          if (!row.row().sound()) {
            poison.merge(row.row().status(), 1L, Long::sum);
          }
        }
      }
      List<String> ids = rows.stream().map(row -> row.row().id()).toList();
      int poisonRows = poison.values().stream().mapToInt(Long::intValue).sum();
      return new Written(
          new Plan.Unit(unit, rows.size(), poisonRows, tokens, keys(ids)),
          new CacheFile(
              unit,
              Family.INPUTS.id(),
              path,
              Targets.INPUTS.stream().map(io.stillhouse.target.Column::name).toList(),
              new CacheFile.Size(rows.size(), tokens, storage.bytes(file)),
              CheckedFile.hash(storage, file),
              ""),
          poison);
    }
  }
}
