package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
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
 * Divides the rows of a corpus into shards and writes their inputs. Rows are ordered by a hash of
 * seed and key, so that neighbors are unrelated and the shards do not depend on how Spark reads the
 * files. Within a shard, rows are sorted by length, so that the teacher's batches need little
 * padding.
 */
final class ShardWriter {
  private final SparkSession spark;
  private final ShardSize size;
  private final long seed;

  /** A row and the hash by which it is ordered. */
  private record OrderedRow(String order, InputRow row) implements Serializable {}

  /**
   * Shards whose inputs are written.
   *
   * @param shards in order of their numbers
   * @param files the inputs of each shard
   * @param invalid the rows without tokens
   */
  record WrittenShards(List<PlanPart.Shard> shards, List<CacheFile> files, InvalidRows invalid) {
    long rows() {
      return shards.stream().mapToLong(PlanPart.Shard::rows).sum();
    }

    long tokens() {
      return shards.stream().mapToLong(PlanPart.Shard::tokens).sum();
    }
  }

  /** The result of the task that writes one shard. */
  private record WrittenShard(PlanPart.Shard shard, CacheFile file, InvalidRows invalid)
      implements Serializable {}

  ShardWriter(SparkSession spark, ShardSize size, long seed) {
    this.spark = spark;
    this.size = size;
    this.seed = seed;
  }

  /**
   * Writes the inputs of every shard into a directory. A cache ignores them until its plan names
   * them.
   *
   * @param firstShard the number of the first shard
   */
  WrittenShards write(Path directory, Corpus corpus, RowTokenizer tokenizer, int firstShard) {
    int parallelism = JavaSparkContext.fromSparkContext(spark.sparkContext()).defaultParallelism();
    JavaRDD<SourceRow> source = corpus.rows();
    if (source.getNumPartitions() < parallelism) {
      source = source.repartition(parallelism);
    }
    long orderSeed = seed;
    JavaRDD<OrderedRow> ordered =
        source
            .mapPartitions(tokenizer::tokenize)
            .map(row -> new OrderedRow(order(orderSeed, row.id()), row))
            .sortBy(OrderedRow::order, true, Math.max(parallelism, source.getNumPartitions()))
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      long[] starts = partitionStarts(ordered);
      long tokens = starts[starts.length - 1];
      long perShard = size.tokens(tokens);
      JavaPairRDD<Integer, OrderedRow> byShard =
          JavaPairRDD.fromJavaRDD(
              ordered.mapPartitionsWithIndex(
                  (index, rows) -> assignShards(starts[index], perShard, rows), false));
      int shards = Math.toIntExact(Math.max(1, (tokens + perShard - 1) / perShard));
      InputsFile file = new InputsFile(directory.toString(), firstShard);
      List<WrittenShard> written =
          new ArrayList<>(
              byShard
                  .groupByKey(new HashPartitioner(Math.min(shards, 4 * parallelism)))
                  .map(shard -> file.write(shard._1, shard._2))
                  .collect());
      written.sort(Comparator.comparingInt(shard -> shard.shard().shard()));
      return numbered(written, firstShard);
    } finally {
      ordered.unpersist();
    }
  }

  /** Returns the number of tokens before each partition, followed by the total. */
  private static long[] partitionStarts(JavaRDD<OrderedRow> ordered) {
    List<Tuple2<Integer, Long>> sums =
        ordered.mapPartitionsWithIndex(ShardWriter::sum, false).collect();
    long[] starts = new long[ordered.getNumPartitions() + 1];
    sums.forEach(sum -> starts[sum._1 + 1] = sum._2);
    for (int i = 1; i < starts.length; i++) {
      starts[i] += starts[i - 1];
    }
    return starts;
  }

  /** Numbers shards without gaps: a row longer than a shard leaves the next number unused. */
  private static WrittenShards numbered(List<WrittenShard> written, int firstShard) {
    List<PlanPart.Shard> shards = new ArrayList<>();
    List<CacheFile> files = new ArrayList<>();
    InvalidRows invalid = InvalidRows.NONE;
    for (WrittenShard one : written) {
      int number = firstShard + shards.size();
      PlanPart.Shard shard = one.shard();
      CacheFile file = one.file();
      shards.add(
          new PlanPart.Shard(number, shard.rows(), shard.invalid(), shard.tokens(), shard.keys()));
      files.add(
          new CacheFile(
              number, file.family(), file.path(), file.columns(), file.size(), file.hashes(), ""));
      invalid = invalid.plus(one.invalid());
    }
    return new WrittenShards(shards, files, invalid);
  }

  private static Iterator<Tuple2<Integer, Long>> sum(Integer index, Iterator<OrderedRow> rows) {
    long total = 0;
    while (rows.hasNext()) {
      total += rows.next().row().length();
    }
    return List.of(new Tuple2<>(index, total)).iterator();
  }

  private static Iterator<Tuple2<Integer, OrderedRow>> assignShards(
      long start, long perShard, Iterator<OrderedRow> rows) {
    return new Iterator<>() {
      private long position = start;
      private String last = "";

      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Tuple2<Integer, OrderedRow> next() {
        OrderedRow row = rows.next();
        if (row.order().equals(last)) { // equal keys are neighbors
          throw Errors.invalid(
              format("two rows have the key '%s'", row.row().id()),
              format(
                  "give rows ids that are not the id of a piece of another row, such as '%s'",
                  "row-" + row.row().id().replace('#', '-')));
        }
        last = row.order();
        int shard = (int) (position / perShard);
        position += row.row().length();
        return new Tuple2<>(shard, row);
      }
    };
  }

  private static String order(long seed, String id) {
    MessageDigest digest = Storage.digest();
    digest.update((seed + "|" + id).getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest(), 0, 8) + id;
  }

  /** Writes the inputs of one shard, inside a task. */
  private record InputsFile(String directory, int firstShard) implements Serializable {
    WrittenShard write(int offset, Iterable<OrderedRow> unsorted) throws IOException {
      int shard = firstShard + offset;
      List<OrderedRow> rows = new ArrayList<>();
      unsorted.forEach(rows::add);
      rows.sort(
          Comparator.<OrderedRow>comparingInt(row -> row.row().length())
              .thenComparing(OrderedRow::order));
      Storage storage = Storage.ofThisProcess();
      String path =
          format(
              "%s/shard-%06d-%s.parquet",
              Family.INPUTS.id(), shard, UUID.randomUUID().toString().substring(0, 8));
      Path file = new Path(directory, path);
      long tokens = 0;
      InvalidRows invalid = InvalidRows.of(rows.stream().map(OrderedRow::row).iterator());
      try (ParquetWriter<Object[]> out =
          ParquetRows.writer(
              file,
              Targets.INPUTS,
              Map.of(Targets.META_VERSION, Integer.toString(Targets.VERSION)),
              storage.hadoop())) {
        for (OrderedRow row : rows) {
          out.write(row.row().values());
          tokens += row.row().length();
        }
      }
      List<String> keys = rows.stream().map(row -> row.row().id()).toList();
      int invalidRows = (int) invalid.count();
      return new WrittenShard(
          new PlanPart.Shard(shard, rows.size(), invalidRows, tokens, RowKeys.hash(keys)),
          new CacheFile(
              shard,
              Family.INPUTS.id(),
              path,
              Targets.INPUTS.stream().map(Column::name).toList(),
              new CacheFile.Size(rows.size(), tokens, storage.bytes(file)),
              CheckedFile.hash(storage, file),
              ""),
          invalid);
    }
  }
}
