package io.stillhouse.jobs.cache.build;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.Plan;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
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
 * Cuts a corpus into shards, once. Rows are ordered by a hash of seed and key, so neighbours are
 * unrelated and the cut does not depend on how Spark reads the files; a shard then holds its rows
 * by length, so the teacher's batches waste little on padding.
 */
public final class Planner {
  private static final int FEWEST_SHARDS = 16;

  /** Under it a shard's files cost more than they spread. */
  private static final long LEAST_SHARD_TOKENS = 1024;

  private final SparkSession spark;
  private final Path cache;
  private final long mostShardTokens;
  private final long seed;

  /** A row, and the hash it is ordered by. */
  private record Placed(String order, InputRow row) implements java.io.Serializable {}

  /** What planning leaves: shards, a file of each, and the rows without tokens by reason. */
  record Planned(List<Plan.Shard> shards, List<CacheFile> files, Map<String, Long> invalid) {
    long rows() {
      return shards.stream().mapToLong(Plan.Shard::rows).sum();
    }

    long tokens() {
      return shards.stream().mapToLong(Plan.Shard::tokens).sum();
    }
  }

  /** What the task of one shard leaves. */
  private record Written(Plan.Shard shard, CacheFile file, Map<String, Long> invalid)
      implements java.io.Serializable {}

  Planner(SparkSession spark, Path cache, long mostShardTokens, long seed) {
    this.spark = spark;
    this.cache = cache;
    this.mostShardTokens = mostShardTokens;
    this.seed = seed;
  }

  /**
   * Writes the inputs of every shard; nothing counts until the plan is written.
   *
   * @param firstShard the first shard's number
   */
  Planned write(Corpus corpus, RowTokenizer tokenizer, int firstShard) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    int parallelism = context.defaultParallelism();
    JavaRDD<SourceRow> source = corpus.rows();
    if (source.getNumPartitions() < parallelism) {
      source = source.repartition(parallelism);
    }
    long orderSeed = seed;
    JavaRDD<Placed> placed =
        source
            .mapPartitions(tokenizer::tokenize)
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
      long perShard = shardTokens(mostShardTokens, tokens);
      JavaPairRDD<Integer, Placed> byShard =
          JavaPairRDD.fromJavaRDD(
              placed.mapPartitionsWithIndex(
                  (index, rows) -> shards(starts[index], perShard, rows), false));
      int shards = Math.toIntExact(Math.max(1, (tokens + perShard - 1) / perShard));
      ShardWriter writer = new ShardWriter(cache.toString(), firstShard);
      List<Written> written =
          new ArrayList<>(
              byShard
                  .groupByKey(new HashPartitioner(Math.min(shards, 4 * parallelism)))
                  .map(shard -> writer.write(shard._1, shard._2))
                  .collect());
      written.sort(Comparator.comparingInt(shard -> shard.shard().shard()));
      return planned(written, firstShard);
    } finally {
      placed.unpersist();
    }
  }

  /**
   * Returns the tokens of a unit: a small corpus is cut finer, so that its units occupy several
   * cores. Only the corpus decides it.
   */
  static long shardTokens(long most, long corpusTokens) {
    return Math.min(most, Math.max(LEAST_SHARD_TOKENS, corpusTokens / FEWEST_SHARDS + 1));
  }

  /** Numbers shards without a gap: a row longer than a shard leaves one. */
  private static Planned planned(List<Written> written, int firstShard) {
    List<Plan.Shard> shards = new ArrayList<>();
    List<CacheFile> files = new ArrayList<>();
    Map<String, Long> invalid = new TreeMap<>();
    for (Written one : written) {
      int number = firstShard + shards.size();
      Plan.Shard shard = one.shard();
      CacheFile file = one.file();
      shards.add(
          new Plan.Shard(number, shard.rows(), shard.invalid(), shard.tokens(), shard.keys()));
      files.add(
          new CacheFile(
              number, file.family(), file.path(), file.columns(), file.size(), file.hashes(), ""));
      one.invalid().forEach((reason, rows) -> invalid.merge(reason, rows, Long::sum));
    }
    return new Planned(shards, files, invalid);
  }

  /** Returns the SHA-256 of keys in order, a line each. */
  public static String keys(List<String> ids) {
    MessageDigest digest = Storage.digest();
    ids.forEach(id -> digest.update((id + "\n").getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Reads the keys of a shard's rows from one of its files. */
  public static List<String> keys(CheckedFile file, Storage storage) throws IOException {
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

  private static Iterator<Tuple2<Integer, Placed>> shards(
      long start, long perShard, Iterator<Placed> rows) {
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
        int shard = (int) (at / perShard);
        at += placed.row().length();
        return new Tuple2<>(shard, placed);
      }
    };
  }

  private static String order(long seed, String id) {
    MessageDigest digest = Storage.digest();
    digest.update((seed + "|" + id).getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest(), 0, 8) + id;
  }

  /** Writes the inputs of one shard, inside a task. */
  private record ShardWriter(String cache, int firstShard) implements java.io.Serializable {
    Written write(int place, Iterable<Placed> placed) throws IOException {
      int shard = firstShard + place;
      List<Placed> rows = new ArrayList<>();
      placed.forEach(rows::add);
      rows.sort(
          Comparator.<Placed>comparingInt(p -> p.row().length()).thenComparing(Placed::order));
      Storage storage = Storage.ofThisProcess();
      String path =
          "%s/shard-%06d-%s.parquet"
              .formatted(Family.INPUTS.id(), shard, UUID.randomUUID().toString().substring(0, 8));
      Path file = new Path(cache, path);
      long tokens = 0;
      Map<String, Long> invalid = new TreeMap<>();
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
            invalid.merge(row.row().status(), 1L, Long::sum);
          }
        }
      }
      List<String> ids = rows.stream().map(row -> row.row().id()).toList();
      int invalidRows = invalid.values().stream().mapToInt(Long::intValue).sum();
      return new Written(
          new Plan.Shard(shard, rows.size(), invalidRows, tokens, keys(ids)),
          new CacheFile(
              shard,
              Family.INPUTS.id(),
              path,
              Targets.INPUTS.stream().map(io.stillhouse.target.Column::name).toList(),
              new CacheFile.Size(rows.size(), tokens, storage.bytes(file)),
              CheckedFile.hash(storage, file),
              ""),
          invalid);
    }
  }
}
