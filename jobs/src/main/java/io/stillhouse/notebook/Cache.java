package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * A cache of a teacher's targets as DataFrames. Its files are those of the manifest when the cache
 * was opened, also while a {@code cache} command is still adding to it; shards that lack a column
 * that is asked for are left out. Every byte that is read is compared with the manifest's hashes.
 *
 * <pre>{@code
 * val cache = Cache.open(spark, "my-cache").sample(1000)
 * cache.rows("hidden_06").select("tokens", "hidden_06").show()
 * cache.heads().createOrReplaceTempView("heads")
 * }</pre>
 */
public final class Cache {
  private static final int BIN_TOKENS = 8;
  private static final int MAX_PARTITIONS = 1000;

  private final SparkSession spark;
  private final Path path;
  private final CachePlan plan;
  private final CacheState state;
  private final String teacher;
  private final long sample;
  private @Nullable Dataset<Row> heads; // set by the first call of heads()

  private Cache(
      SparkSession spark,
      Path path,
      CachePlan plan,
      CacheState state,
      String teacher,
      long sample) {
    this.spark = spark;
    this.path = path;
    this.plan = plan;
    this.state = state;
    this.teacher = teacher;
    this.sample = sample;
  }

  /**
   * Opens a cache, with the targets of its first teacher and all of its rows.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no such cache, or its plan or
   *     manifest is damaged
   */
  public static Cache open(SparkSession spark, String path) {
    try {
      Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
      Path cache = storage.requireExisting("the cache", path);
      CachePlan first = CachePlan.first(storage, cache);
      CacheState state = ManifestLog.read(storage, cache).state();
      return new Cache(spark, cache, first.plus(state.parts(), cache), state, "", Long.MAX_VALUE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns the same cache with the targets of another of its teachers.
   *
   * @param name its {@code teacher.name}, "" for the first
   * @throws io.stillhouse.error.StillhouseException if the cache has no such teacher
   */
  public Cache teacher(String name) {
    if (!state.allTeachers().contains(name)) {
      throw Errors.invalid(
          format(
              "cache '%s' has no teacher '%s'; besides the first, which has no name, it has %s",
              path, name, new TreeSet<>(state.teachers().keySet())),
          "correct the name");
    }
    return new Cache(spark, path, plan, state, name, sample);
  }

  /**
   * Returns the same cache with some of its rows: evenly spaced ones of the first shards. Rows were
   * dealt to shards at random, so this is a random sample that reads few files.
   *
   * @param rows number of rows, at least 1; all rows if there are fewer
   * @throws io.stillhouse.error.StillhouseException if it is not positive
   */
  public Cache sample(long rows) {
    if (rows < 1) {
      throw Errors.badValue("the number of rows", ">= 1", rows);
    }
    return new Cache(spark, path, plan, state, teacher, rows);
  }

  /**
   * Returns the families of files: {@code teacher} ("" is the first), {@code family}, {@code
   * files}, {@code rows}, {@code tokens}, {@code bytes}, {@code columns} (array of string).
   */
  public Dataset<Row> families() {
    return tables().families();
  }

  /**
   * Returns the tensor columns of the teacher: {@code column}, {@code family}, {@code dtype} (null
   * for ids and counts), {@code shards} that have it, {@code bytes} of its compressed chunks, and
   * {@code doc}.
   */
  public Dataset<Row> columns() {
    return tables().columns();
  }

  /**
   * Returns the shards: {@code shard}, {@code rows}, {@code tokens}, {@code invalid} (rows without
   * tokens), {@code not_finite} (rows without targets of the teacher), {@code columns} of the
   * teacher's targets that it has (array of string), {@code dropped}.
   */
  public Dataset<Row> shards() {
    return tables().shards();
  }

  /**
   * Returns rows with their tokens as words and, decoded to arrays of numbers, the named tensors,
   * such as {@code logits} or {@code hidden_06}. The comments of the fields describe all columns. A
   * tensor is null if its row has no targets.
   *
   * @throws io.stillhouse.error.StillhouseException if no shard has all of the columns
   */
  public Dataset<Row> rows(String... columns) {
    List<Column> tensors = new ArrayList<>();
    for (String name : columns) {
      if (!state.columns(teacher).contains(name)) {
        throw Errors.invalid(
            format("cache '%s' has no column '%s'; it has %s", path, name, state.columns(teacher)),
            "name one of these, or add it to the recipe's targets and run cache again");
      }
      tensors.add(Targets.named(name));
    }
    return table(
        withCounts(tensors),
        DecodedRow.schema(tensors),
        new DecodedRow(tokenizer(), spec().head(), List.of(columns)),
        null);
  }

  /** Adds the counts of draws, without which their ids cannot be decoded. */
  private static List<Column> withCounts(List<Column> columns) {
    Map<String, Column> all = new LinkedHashMap<>();
    columns.forEach(column -> all.put(column.name(), column));
    for (Column column : columns) {
      if (column.type() == Column.Type.TOKEN_IDS) {
        MlmTargets mlm = MlmTargets.of(column.name());
        if (mlm.kind() == MlmTargets.Kind.SAMPLED) {
          all.putIfAbsent(mlm.sampleCounts().name(), mlm.sampleCounts());
        }
      }
    }
    return List.copyOf(all.values());
  }

  /**
   * Returns a histogram of the lengths of rows: {@code tokens}, the upper end of a bin of 8 tokens,
   * and {@code rows}.
   */
  public Dataset<Row> lengths() {
    return rows()
        .where("status is null")
        .groupBy(
            functions
                .ceil(functions.col("length").divide(BIN_TOKENS))
                .multiply(BIN_TOKENS)
                .as("tokens"))
        .agg(functions.count("*").as("rows"))
        .orderBy("tokens");
  }

  /**
   * Returns what the teacher predicts for each row, and how certain it is: {@code id}, {@code
   * text}, {@code class_name}, {@code predicted}, {@code probability}, {@code entropy} in nats,
   * {@code correct}. Empty if the teacher has no classes, or no shard has its logits.
   */
  public Dataset<Row> certainty() {
    boolean none = spec().head().labels().isEmpty();
    return none
        ? spark.createDataFrame(List.of(), CertaintyRow.SCHEMA)
        : table(
            List.of(Targets.LOGITS), CertaintyRow.SCHEMA, new CertaintyRow(spec().head()), null);
  }

  /**
   * Returns the magnitude of the stored floating-point tensors, which reveals layers that are all
   * zeros or not finite: {@code column}, {@code rows}, {@code numbers}, {@code rms} (root mean
   * square) and {@code largest} magnitude of finite numbers, {@code not_finite}. Empty if the cache
   * stores no such tensors.
   */
  public Dataset<Row> magnitudes() {
    List<Column> columns =
        state.columns(teacher).stream()
            .map(Targets::named)
            .filter(column -> column.type().floating())
            .filter(column -> column.family() != Family.LOGITS || column.equals(Targets.LOGITS))
            .toList();
    List<String> names = columns.stream().map(Column::name).toList();
    return MagnitudeRows.means(
        table(columns, MagnitudeRows.SCHEMA, new MagnitudeRows(names), null));
  }

  /**
   * Returns what every attention head of the teacher does, as means over the queries of all rows:
   * {@code layer} and {@code head} from 1, {@code queries}, {@code entropy} in nats, {@code
   * relative_entropy} in [0, 1], {@code distance} in tokens, and the shares of attention to the
   * query itself ({@code self}) and to [CLS] and [SEP] ({@code special}). The teacher computes the
   * blocks whose scores are not stored, so {@link #sample} first. The means are computed on the
   * first call.
   */
  public synchronized Dataset<Row> heads() {
    if (heads == null) {
      Dataset<Row> means = headMeans();
      heads = spark.createDataFrame(means.collectAsList(), means.schema());
    }
    return heads;
  }

  private Dataset<Row> headMeans() {
    List<Integer> blocks = IntStream.rangeClosed(1, spec().layers()).boxed().toList();
    HeadRows function = new HeadRows(scores(blocks), tokenizer());
    return HeadRows.means(table(stored(blocks), HeadRows.schema(), function, null));
  }

  /**
   * Returns the attention maps of a row: {@code id}, {@code layer}, {@code head}, {@code query},
   * {@code query_token}, {@code key}, {@code key_token}, {@code weight}. The weights of a query sum
   * to 1.
   *
   * @param id key of the row, as in {@link #rows}; it need not be in the sample
   */
  public Dataset<Row> attention(String id) {
    return attention(id, IntStream.rangeClosed(1, spec().layers()).boxed().toList());
  }

  private Dataset<Row> attention(String id, List<Integer> blocks) {
    AttentionRows function = new AttentionRows(scores(blocks), tokenizer());
    return table(stored(blocks), AttentionRows.SCHEMA, function, id);
  }

  /**
   * Returns one attention map as a picture (HTML), with the tokens on both axes.
   *
   * @param id key of the row; it need not be in the sample
   * @param layer number of the block, from 1
   * @param head number of the head, from 1
   * @throws io.stillhouse.error.StillhouseException if there is no such row or head, or the row has
   *     more than 64 tokens
   */
  public String attentionMap(String id, int layer, int head) {
    requireRange("layer", layer, spec().layers());
    requireRange("head", head, spec().heads());
    Dataset<Row> weights = attention(id, List.of(layer)).where(functions.col("head").equalTo(head));
    return AttentionPictures.map(weights.collectAsList(), id, layer, head);
  }

  /**
   * Returns the attention maps of all heads for one row as a picture (HTML) of small multiples.
   *
   * @param id key of the row; it need not be in the sample
   * @throws io.stillhouse.error.StillhouseException if there is no such row, or it has more than 64
   *     tokens
   */
  public String attentionGrid(String id) {
    return AttentionPictures.grid(attention(id).collectAsList(), id);
  }

  /**
   * Returns a measure of all heads as a picture (HTML), layer by head.
   *
   * @param measure a column of {@link #heads}, such as {@code entropy} or {@code distance}
   * @throws io.stillhouse.error.StillhouseException if there is no such measure
   */
  public String headMap(String measure) {
    return HeadRows.picture(heads(), measure);
  }

  private void requireRange(String what, int number, int last) {
    if (number < 1 || number > last) {
      throw Errors.badValue(what, format("a number of 1..%d of this teacher", last), number);
    }
  }

  private AttentionScores scores(List<Integer> blocks) {
    return new AttentionScores(directory(teacher), spec().heads(), blocks);
  }

  /** Returns the columns of the blocks' scores that all shards have. */
  private List<Column> stored(List<Integer> blocks) {
    return blocks.stream()
        .map(Targets::attention)
        .filter(
            column -> plan.shards().stream().allMatch(s -> state.has(s.shard(), teacher, column)))
        .toList();
  }

  private Dataset<Row> table(
      List<Column> columns, StructType schema, RowFunction function, @Nullable String id) {
    List<ShardFiles> shards = new ArrayList<>();
    long total = 0;
    for (PlanPart.Shard shard : plan.shards()) {
      ShardFiles files = ShardFiles.find(state, teacher, shard.shard(), total, columns);
      if (files != null && (id != null || total < sample)) {
        shards.add(files);
        total += shard.rows();
      }
    }
    ShardTask task =
        new ShardTask(path.toString(), dtype(), new RowFilter(sample, total, id), function);
    JavaRDD<Row> rows =
        JavaSparkContext.fromSparkContext(spark.sparkContext())
            .parallelize(shards, Math.max(1, Math.min(shards.size(), MAX_PARTITIONS)))
            .flatMap(task);
    return spark.createDataFrame(rows, schema);
  }

  private CacheTables tables() {
    return new CacheTables(spark, plan, state, teacher, dtype());
  }

  private Dtype dtype() {
    CachePlan own =
        teacher.isEmpty() ? plan : plan.of(Objects.requireNonNull(state.teachers().get(teacher)));
    return Dtype.of(Objects.requireNonNull(own.fingerprints().get("targets.dtype")));
  }

  private EncoderSpec spec() {
    try {
      return (EncoderSpec) ModelDirectory.readSpec(Models.copy(directory(teacher)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the directory of the tokenizer that read the inputs, which all teachers share. */
  private String tokenizer() {
    return directory("");
  }

  private String directory(String name) {
    return TeacherFolder.model(path, name).toString();
  }
}
