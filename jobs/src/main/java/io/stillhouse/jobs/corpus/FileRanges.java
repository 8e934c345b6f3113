package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.corpus.read.FileRange;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.jobs.corpus.read.TextStreams;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BlockLocation;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.internal.SQLConf;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;
import scala.collection.JavaConverters;
import scala.collection.Seq;
import scala.reflect.ClassTag$;

/**
 * The byte ranges of text files, packed into the partitions of an RDD by the same rule and settings
 * as in Spark: {@code spark.sql.files.maxPartitionBytes}, {@code openCostInBytes} and {@code
 * minPartitionNum}.
 */
final class FileRanges {
  private final SparkSession spark;
  private final Configuration hadoop;
  private final long mostBytes;

  /**
   * @param mostBytes maximum number of bytes of a range
   */
  FileRanges(SparkSession spark, Configuration hadoop, long mostBytes) {
    this.spark = spark;
    this.hadoop = hadoop;
    this.mostBytes = mostBytes;
  }

  /** Returns a range for the whole of a file. */
  static FileRange whole(FileStatus file) {
    return new FileRange(
        new FileRow.Block(file.getPath().toUri().toString(), 0), file.getLen(), Map.of());
  }

  /** Returns the values that the directories of a file give to the wanted columns. */
  interface FromDirectory {
    Map<Role, @Nullable String> of(Path file);
  }

  /**
   * Cuts files into ranges and packs those into partitions.
   *
   * @param splits whether the records of a file can be read in ranges
   */
  List<List<FileRange>> cut(List<FileStatus> files, boolean splits, FromDirectory fromDirectory) {
    SQLConf conf = spark.sessionState().conf();
    long openCost = conf.filesOpenCostInBytes();
    long fewest =
        conf.filesMinPartitionNum().isDefined()
            ? (int) conf.filesMinPartitionNum().get()
            : spark.sparkContext().defaultParallelism();
    long total = files.stream().mapToLong(file -> file.getLen() + openCost).sum();
    long most = Math.max(1, Math.min(mostBytes, Math.max(openCost, total / Math.max(1, fewest))));
    List<List<FileRange>> partitions = new ArrayList<>();
    List<FileRange> open = new ArrayList<>();
    long size = 0;
    for (FileStatus file : files) {
      String uri = file.getPath().toUri().toString();
      Map<Role, @Nullable String> given = fromDirectory.of(file.getPath());
      boolean split = splits && TextStreams.isSplittable(file.getPath(), hadoop);
      long step = split ? most : Math.max(1, file.getLen());
      for (long start = 0; start < file.getLen(); start += step) {
        long length = Math.min(step, file.getLen() - start);
        if (size + length > most && !open.isEmpty()) {
          partitions.add(open);
          open = new ArrayList<>();
          size = 0;
        }
        open.add(new FileRange(new FileRow.Block(uri, start), length, given));
        size += length + openCost;
      }
    }
    if (!open.isEmpty()) {
      partitions.add(open);
    }
    return partitions;
  }

  /** Returns an RDD with a partition for each list, which prefers the machines that store it. */
  JavaRDD<List<FileRange>> rdd(List<List<FileRange>> partitions) {
    if (partitions.isEmpty()) {
      return JavaSparkContext.fromSparkContext(spark.sparkContext()).emptyRDD();
    }
    List<Tuple2<List<FileRange>, Seq<String>>> placed = new ArrayList<>();
    for (List<FileRange> partition : partitions) {
      placed.add(new Tuple2<>(partition, JavaConverters.asScalaBuffer(hosts(partition)).toList()));
    }
    return spark
        .sparkContext()
        .<List<FileRange>>makeRDD(
            JavaConverters.asScalaBuffer(placed).toList(), ClassTag$.MODULE$.apply(List.class))
        .toJavaRDD();
  }

  /** Returns the machines that store the first range of a partition; none for local files. */
  private List<String> hosts(List<FileRange> partition) {
    FileRange first = partition.get(0);
    Path path = new Path(URI.create(first.block().file()));
    if ("file".equals(path.toUri().getScheme())) {
      return List.of();
    }
    try {
      BlockLocation[] blocks =
          path.getFileSystem(hadoop)
              .getFileBlockLocations(path, first.block().start(), first.length());
      return blocks.length == 0 ? List.of() : Arrays.asList(blocks[0].getHosts());
    } catch (IOException e) {
      throw new UncheckedIOException(format("cannot locate the blocks of '%s'", path), e);
    }
  }
}
