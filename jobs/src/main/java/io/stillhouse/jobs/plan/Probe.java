package io.stillhouse.jobs.plan;

import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.CacheJob;
import io.stillhouse.jobs.cache.CacheReader;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.cache.Tokenising;
import io.stillhouse.jobs.text.SourceRow;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.TrainTask;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Runs the cache and the training themselves on samples of the corpus, in a directory of its own.
 */
final class Probe {
  private static final int TRAIN_STEPS = 3;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path home;
  private final int cores;

  /** A cache of a sample: what it took, and its bytes on disk without the teacher. */
  record Cached(Path path, long tokens, int units, double seconds, long bytes, long teacher) {}

  /** Students' tokens a second while they train beside each other, and seconds around the steps. */
  record Trained(List<TrainTask.Trained> students, double startSeconds) {}

  Probe(SparkSession spark, Settings settings, Storage storage, Path home) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.home = home;
    this.cores = spark.sparkContext().defaultParallelism();
  }

  /** Caches a seeded sample of the corpus, a unit for each core. */
  Cached cache(String name, List<SourceRow> rows, long tokens) throws IOException {
    Path table = new Path(home, name + ".parquet");
    StructType schema =
        new StructType()
            .add("key", DataTypes.StringType)
            .add("text", DataTypes.StringType)
            .add("pair", DataTypes.StringType)
            .add("label", DataTypes.StringType);
    spark
        .createDataFrame(
            rows.stream()
                .map(r -> RowFactory.create(r.key(), r.text(), r.pair(), r.label()))
                .toList(),
            schema)
        .write()
        .parquet(table.toString());
    CorpusSpec spec = Recipe.corpus(settings);
    Tokenising.Cut cut = CacheJob.cut(settings, spec);
    Map<String, String> own = new TreeMap<>();
    own.put(Options.CORPUS_PATH.key(), table.toString());
    own.put(Options.CORPUS_FORMAT.key(), "parquet");
    own.put(Options.CORPUS_TEXT.key(), "text");
    own.put(Options.CORPUS_ID.key(), "key");
    own.put(Options.CORPUS_PAIR.key(), spec.columns().pair() == null ? "" : "pair");
    own.put(Options.CORPUS_LABEL.key(), Recipe.labelled(settings) ? "label" : "");
    own.put(Options.CORPUS_LIMIT.key(), "0");
    own.put(Options.CORPUS_SEGMENT.key(), cut.mode().name().toLowerCase(Locale.ROOT));
    own.put(Options.CORPUS_TOO_LONG.key(), cut.tooLong().name().toLowerCase(Locale.ROOT));
    own.put(Options.UNIT_TOKENS.key(), Long.toString(Math.max(256, tokens / cores + 1)));
    Path cache = new Path(home, name);
    own.put(Options.CACHE.key(), cache.toString());
    CacheJob.Result result = new CacheJob(spark, settings.with(own)).run();
    long teacher = length(new Path(cache, CacheJob.TEACHER));
    return new Cached(
        cache, result.tokens(), result.units(), result.seconds(), length(cache) - teacher, teacher);
  }

  /** Trains a few steps from a sample's cache, once to warm up and once to count. */
  Trained train(Path cache) throws IOException {
    Map<String, String> own = new TreeMap<>();
    own.put(Options.CACHE.key(), cache.toString());
    own.put(Options.EPOCHS.key(), "1000");
    own.put(Options.TRAIN_PATH.key(), new Path(home, "warm").toString());
    own.put(Options.MAX_STEPS.key(), "1");
    long start = System.nanoTime();
    TrainJob.Result warm = new TrainJob(spark, settings.with(own)).run();
    double steps =
        warm.students().stream().mapToDouble(one -> one.speed().seconds()).max().orElse(0);
    double around = Math.max(0, (System.nanoTime() - start) / 1e9 - steps);
    own.put(Options.TRAIN_PATH.key(), new Path(home, "students").toString());
    own.put(Options.MAX_STEPS.key(), Integer.toString(TRAIN_STEPS));
    return new Trained(new TrainJob(spark, settings.with(own)).run().students(), around);
  }

  /** Returns bytes a second of reading a sample's cache with its hashes, on one thread. */
  double read(Cached cached, List<Column> columns) throws IOException {
    long start = System.nanoTime();
    CacheReader reader = CacheReader.open(storage, cached.path(), columns);
    for (int unit = 0; unit < reader.unitRows().size(); unit++) {
      reader.read(unit);
    }
    return cached.bytes() / ((System.nanoTime() - start) / 1e9);
  }

  private long length(Path path) throws IOException {
    return storage.fileSystem(path).getContentSummary(path).getLength();
  }
}
