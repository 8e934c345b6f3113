package io.stillhouse.jobs.plan;

import com.sun.nio.file.ExtendedOpenOption;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/** Measures how fast a student can read its targets. */
final class ReadProbe {
  private static final int BUFFER = 8 << 20;
  private static final double MAX_SECONDS = 2;

  private ReadProbe() {}

  /**
   * Returns the bytes per second at which the columns of a student are read from the page cache,
   * hashed and decoded: in one task on one thread, as a student reads.
   *
   * @param bytes bytes of those columns in the cache
   */
  static double decoding(SparkSession spark, Path cache, Set<Column> columns, double bytes) {
    String directory = cache.toString();
    List<String> names = columns.stream().map(Column::name).toList();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("plan", "reading rate", true);
    return bytes
        / context.parallelize(List.of(1), 1).map(one -> bestOfTwo(directory, names)).first();
  }

  private static double bestOfTwo(String cache, List<String> names) throws IOException {
    List<Column> columns = names.stream().map(Targets::named).toList();
    double best = Double.POSITIVE_INFINITY;
    for (int pass = 0; pass < 2; pass++) { // the first pass includes compilation
      long start = System.nanoTime();
      CacheReader reader = CacheReader.open(Storage.ofThisProcess(), new Path(cache), columns);
      for (int shard = 0; shard < reader.shardRows().size(); shard++) {
        reader.read(shard);
      }
      best = Math.min(best, (System.nanoTime() - start) / 1e9);
    }
    return best;
  }

  /**
   * Returns the bytes per second at which a local file is read from its disk, bypassing the page
   * cache; infinite if the file system is not local or does not support direct reads.
   */
  static double disk(Path file) throws IOException {
    if (!"file".equals(file.toUri().getScheme())) {
      return Double.POSITIVE_INFINITY;
    }
    java.nio.file.Path local = java.nio.file.Path.of(file.toUri().getPath());
    int block = (int) Files.getFileStore(local).getBlockSize();
    try (FileChannel channel =
        FileChannel.open(local, StandardOpenOption.READ, ExtendedOpenOption.DIRECT)) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER + block).alignedSlice(block);
      buffer.limit(BUFFER);
      long bytes = 0;
      long start = System.nanoTime();
      double seconds = 0;
      for (int n = channel.read(buffer); n > 0 && seconds < MAX_SECONDS; ) {
        bytes += n;
        seconds = (System.nanoTime() - start) / 1e9;
        buffer.clear().limit(BUFFER);
        n = channel.position() % block == 0 ? channel.read(buffer) : 0;
      }
      return bytes == 0 ? Double.POSITIVE_INFINITY : bytes / seconds;
    } catch (IOException | UnsupportedOperationException e) {
      return Double.POSITIVE_INFINITY; // such as tmpfs
    }
  }
}
