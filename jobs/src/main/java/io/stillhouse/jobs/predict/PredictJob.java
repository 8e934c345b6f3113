package io.stillhouse.jobs.predict;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Pooling;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.RowEncoders;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes a table with the predictions of a model as additional columns. The output appears under
 * its name when it is complete, with a row for each row of the table.
 */
public final class PredictJob {
  private static final Logger LOG = LoggerFactory.getLogger(PredictJob.class);
  private static final String RECORD = "_predict.json";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final ModelLocation location;
  private final String given;
  private final Path output;
  private final InputTable table;
  private final AddedColumns columns;
  private final Format format;
  private final StructType schema;

  /**
   * The arguments of the command.
   *
   * @param model a directory of weights, or a file of an export
   * @param table a file, directory or glob
   * @param output a directory that does not exist yet
   */
  public record Arguments(String model, String table, String output) {
    /**
     * Requires that the model exists and the output does not. This needs no session.
     *
     * @throws io.stillhouse.error.StillhouseException if the model does not exist, or the output
     *     does
     */
    public Arguments requireFiles() throws IOException {
      location(Storage.ofThisProcess());
      output(Storage.ofThisProcess());
      return this;
    }

    private ModelLocation location(Storage storage) throws IOException {
      return ModelLocation.existing(storage, "MODEL", model);
    }

    private Path output(Storage storage) throws IOException {
      Path path = storage.qualify(output);
      if (storage.exists(path)) {
        throw Errors.invalid(
            format("the output '%s' already exists", output),
            "name a directory that does not exist yet");
      }
      return path;
    }
  }

  /**
   * Checks the model, the columns of the table, and that the output can be written.
   *
   * @throws io.stillhouse.error.StillhouseException if one of them does not exist or does not fit,
   *     or the output exists
   */
  public PredictJob(SparkSession spark, Settings settings, Arguments arguments) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.location = arguments.location(storage);
    this.given = arguments.table();
    this.output = arguments.output(storage);
    this.columns = columns();
    this.table = InputTable.open(spark.newSession(), settings, given);
    this.format = outputFormat();
    this.schema = schema();
  }

  private AddedColumns columns() throws IOException {
    ModelSpec spec =
        location.form() == Form.WEIGHTS
            ? ModelDirectory.open(Models.copy(location.directory())).spec()
            : LoadedModels.spec(location);
    ModelCheck.of(settings, format("'%s'", location.path()), spec).requireReads();
    boolean embeddings = settings.get(Options.PREDICT_OUTPUT).equals("embeddings");
    if (embeddings && spec instanceof BiLstmSpec) {
      throw Errors.invalid(
          format("'%s' is a BiLSTM, which has no hidden state for each token", location.path()),
          "use an encoder for embeddings");
    }
    if (!embeddings && !spec.head().task().pooled()) {
      throw Errors.invalid(
          format(
              "'%s' has no task head (its head is %s), so it predicts no classes or scores",
              location.path(), spec.head().task()),
          "name a fine-tuned model, or set predict.output=embeddings");
    }
    AddedColumns added =
        embeddings
            ? new AddedColumns.Embedding(
                Pooling.of(settings.get(Options.PREDICT_POOLING)),
                settings.get(Options.PREDICT_NORMALIZE)
                    ? AddedColumns.Embedding.Scale.UNIT
                    : AddedColumns.Embedding.Scale.AS_IS)
            : AddedColumns.ofHead(
                spec.head(),
                settings.get(Options.PREDICT_TOP_K),
                settings.get(Options.PREDICT_THRESHOLD));
    if (location.form() == Form.WEIGHTS) {
      Models.tokenizer(location.directory());
    } else {
      // What an exported graph returns is known only after a forward pass.
      boolean single = settings.get(Options.CORPUS_PAIR).isEmpty();
      LoadedModels.probe(
          location,
          model -> {
            Pairing pairing = model.pairing(spec.maxTokens());
            int[] none = {};
            added.compute(model, List.of(single ? pairing.single(none) : pairing.pair(none, none)));
          });
    }
    return added;
  }

  private Format outputFormat() {
    String name = settings.get(Options.PREDICT_FORMAT);
    Format chosen = name.equals("auto") ? table.kind() : Format.of(name);
    if (chosen == Format.TEXT) {
      return Format.PARQUET;
    }
    if (chosen == Format.TSV && table.kind() != Format.TSV) {
      throw Errors.invalid(
          format(
              "predict.format is tsv, but the table is %s, whose values may contain tabs and line"
                  + " breaks",
              table.kind().name().toLowerCase(Locale.ROOT)),
          "set predict.format=csv");
    }
    return chosen;
  }

  /** Returns the columns of the table and the added ones. */
  private StructType schema() {
    StructType extended = table.rows().schema();
    for (StructField field : extended.fields()) {
      if (format.isDelimited() && isNested(field.dataType())) {
        throw Errors.invalid(
            format(
                "column '%s' of the table is of the type %s, which %s cannot represent",
                field.name(),
                field.dataType().simpleString(),
                format.name().toLowerCase(Locale.ROOT)),
            "set predict.format=parquet or predict.format=jsonl");
      }
    }
    for (var added : columns.types().entrySet()) {
      String name = settings.get(Options.PREDICT_PREFIX) + added.getKey();
      if (Stream.of(extended.fieldNames()).anyMatch(name::equalsIgnoreCase)) {
        throw Errors.invalid(
            format("the table already has a column '%s'", name),
            "set predict.prefix, such as predict.prefix=student_");
      }
      extended = extended.add(name, added.getValue(), true);
    }
    return extended;
  }

  private static boolean isNested(DataType type) {
    return type instanceof StructType || type instanceof ArrayType || type instanceof MapType;
  }

  /**
   * Predicts all rows and writes the output.
   *
   * @throws io.stillhouse.error.StillhouseException if a row cannot be read, the model has no
   *     finite output for any row, or the table or the model changes during the job
   */
  public PredictRecord run() throws IOException {
    Path temporary =
        new Path(
            output.getParent(),
            "_" + output.getName() + "-" + UUID.randomUUID().toString().substring(0, 8));
    try (TrackedJob job = TrackedJob.start(spark, "predict", given)) {
      PredictRecord record = job.run(() -> write(job, temporary));
      storage.writeJson(new Path(temporary, RECORD), record);
      storage.renameExclusively(temporary, output);
      LOG.info("Wrote '{}'", output);
      return record;
    } finally {
      storage.fileSystem(temporary).delete(temporary, true);
    }
  }

  private PredictRecord write(TrackedJob job, Path temporary) throws IOException {
    long count = table.count();
    String digest = LoadedModels.digest(location);
    LOG.info("Predicting {} rows of '{}' with '{}'", count, given, location.path());
    PredictTask.Counts counts =
        new PredictTask.Counts(
            job.count("predicted rows", Progress.start("predict", count, "rows")),
            accumulator("empty rows"),
            accumulator("rows without finite output"));
    PredictTask task =
        new PredictTask(
            new PredictTask.Model(location, digest, settings.get(Options.PREDICT_BATCH_TOKENS)),
            new PredictTask.Texts(
                table.textIndex(), table.pairIndex(), settings.get(Options.MAX_LENGTH)),
            columns,
            counts);
    long began = System.nanoTime();
    Dataset<Row> rows =
        table.partitioned(count).mapPartitions(task, RowEncoders.of(table.rows(), schema));
    SparkFormats.writer(representable(rows), format, table.header()).save(temporary.toString());
    double seconds = (System.nanoTime() - began) / 1e9;
    if (counts.rows().value() != count) {
      throw Errors.invalid(
          format(
              "the table '%s' has %,d rows, but Spark read %,d of them",
              given, count, counts.rows().value()),
          "do not change a table while it is read; if it did not change, convert it to Parquet");
    }
    if (counts.notFinite().value() > 0
        && counts.notFinite().value() + counts.empty().value() == count) {
      ModelCheck.requireFinite(location.path(), counts.notFinite().value(), count);
    }
    return record(counts, digest, seconds);
  }

  private PredictRecord record(PredictTask.Counts counts, String digest, double seconds) {
    List<String> names = new ArrayList<>(List.of(schema.fieldNames()));
    long rows = counts.rows().value();
    return new PredictRecord(
        new PredictRecord.Model(location.path(), location.form().id(), digest),
        new PredictRecord.Table(
            given,
            output.toString(),
            format.name().toLowerCase(Locale.ROOT),
            names.subList(table.rows().columns().length, names.size())),
        rows,
        counts.empty().value(),
        counts.notFinite().value(),
        seconds,
        rows / seconds);
  }

  /** Writes lists and maps as JSON where the format has no such types. */
  private Dataset<Row> representable(Dataset<Row> rows) {
    Dataset<Row> result = rows;
    for (StructField field : schema.fields()) {
      if (format.isDelimited() && isNested(field.dataType())) {
        String quoted = "`" + field.name() + "`";
        result = result.withColumn(field.name(), functions.to_json(functions.col(quoted)));
      }
    }
    return result;
  }

  private LongAccumulator accumulator(String name) {
    return spark.sparkContext().longAccumulator(name);
  }
}
