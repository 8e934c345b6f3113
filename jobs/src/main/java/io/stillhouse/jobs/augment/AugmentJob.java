package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;

import io.stillhouse.augment.ReplaceableWords;
import io.stillhouse.augment.RuleAugmentation;
import io.stillhouse.augment.WordsByTag;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.text.LabelCodec;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * Writes a larger corpus with copies of each row. Rows are assigned to parts by their keys, and the
 * copies in a part depend only on its rows, so a recipe gives the same files on every cluster. The
 * destination appears only when it is complete.
 */
public final class AugmentJob {
  private static final Logger LOG = LoggerFactory.getLogger(AugmentJob.class);

  private static final String GROUP = "augment";
  private static final String REPORT = "_augment.json";
  private static final String UNFINISHED = "unfinished";
  private static final int MIN_PARTS = 16;
  private static final int MIN_ROWS_OF_PART = 32;

  /** [CLS], one token, [SEP], one token, [SEP]. */
  private static final int MIN_PAIR = 5;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path destination;
  private final @Nullable String model;
  private final String vectors;

  /**
   * The result of a run.
   *
   * @param counts the numbers of rows
   * @param next the settings that read the larger corpus
   * @param leftOut how many invalid rows were left out, and why; empty if none
   */
  public record Result(
      String directory, Counts counts, List<String> next, Optional<String> leftOut) {}

  /**
   * The numbers of a run.
   *
   * @param rowsIn rows of the corpus
   * @param leftOut rows without copies
   * @param rowsOut rows of the larger corpus
   * @param duplicates copies that were dropped
   * @param replacedShare share of the copies' words that were replaced
   */
  public record Counts(
      long rowsIn, long leftOut, long rowsOut, long duplicates, double replacedShare) {}

  /**
   * Checks the recipe.
   *
   * @throws io.stillhouse.error.StillhouseException if the destination exists, or the model is
   *     missing or not a masked LM
   */
  public AugmentJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    this.destination =
        storage.requireExclusive(Options.AUGMENT_TO.key(), settings.get(Options.AUGMENT_TO));
    if (storage.exists(destination)) {
      throw alreadyThere();
    }
    boolean rules = settings.get(Options.AUGMENT_KIND).equals("rules");
    this.model = rules ? null : maskedLm();
    this.vectors = rules ? "" : wordVectors();
    LabelCodec.ofNames(settings.get(Options.CORPUS_CLASSES));
    double mask = settings.get(Options.AUGMENT_MASK);
    double swap = settings.get(Options.AUGMENT_POS);
    if (rules && mask + swap > 1) {
      throw Errors.invalid(
          format(
              "augment.mask-probability (%s) and augment.pos-probability (%s) are mutually"
                  + " exclusive, but add up to more than 1",
              mask, swap),
          "lower one of them");
    }
  }

  private StillhouseException alreadyThere() {
    return Errors.invalid(
        format("augment.to '%s' already exists", destination), "delete it, or choose another");
  }

  private String maskedLm() throws IOException {
    boolean hasModel = !settings.get(Options.AUGMENT_MODEL).isEmpty();
    if (!hasModel && !settings.has(Options.TEACHER)) {
      throw Errors.invalid(
          format(
              "augment.model is missing (%s), and so is teacher.path", Options.AUGMENT_MODEL.doc()),
          "name a masked LM, or set augment.kind=rules, which needs no model");
    }
    Option<String> key = hasModel ? Options.AUGMENT_MODEL : Options.TEACHER;
    Path path = storage.requireExisting(key.key(), settings.get(key));
    EncoderSpec spec = Models.openTeacher(storage.local(path)).spec();
    ModelCheck check =
        ModelCheck.of(settings, format("%s '%s'", key.key(), path), spec)
            .requireMaskedLm(
                "set augment.model to a masked LM, such as the one it was fine-tuned from, or set"
                    + " augment.kind=rules")
            .requireReadsTexts();
    if (settings.get(Options.AUGMENT_SHOW)) {
      check.requireSecondSegment(Options.AUGMENT_SHOW.key());
    }
    if (settings.get(Options.AUGMENT_SHOW) && settings.get(Options.MAX_LENGTH) < MIN_PAIR) {
      throw Errors.badValue(
          Options.MAX_LENGTH.key(),
          format("%d or more if augment.show-original is true", MIN_PAIR),
          settings.get(Options.MAX_LENGTH));
    }
    return path.toString();
  }

  private String wordVectors() throws IOException {
    String given = settings.get(Options.AUGMENT_VECTORS);
    if (given.isEmpty() || given.equals(Augmentation.MaskedLm.NO_VECTORS)) {
      return given;
    }
    String path = storage.requireFile(Options.AUGMENT_VECTORS.key(), given).toString();
    Vocabulary.readVectors(storage, path, new ReplaceableWords(stops()));
    return path;
  }

  /** Writes the copies to a staging directory and renames it. */
  public Result run() throws IOException {
    long start = System.nanoTime();
    CorpusSpec spec = Recipe.corpus(settings);
    Corpus corpus = Corpus.read(spark, spec);
    InvalidRowPolicy policy = InvalidRowPolicy.of(settings);
    policy.check(corpus.broken(), corpus.rowCount());
    Path staging =
        new Path(destination.getParent(), prefix() + UUID.randomUUID().toString().substring(0, 8));
    LOG.info("Augmenting {} rows of {} into {}", corpus.rowCount(), spec.paths(), destination);
    try {
      List<AugmentTask.Written> written = write(corpus, spec, staging);
      RowCounts counts =
          written.stream().map(AugmentTask.Written::counts).reduce(RowCounts.NONE, RowCounts::plus);
      if (counts.written() == 0) {
        ModelCheck.requireFinite(
            "the masked LM",
            counts.leftOut().getOrDefault(AugmentTask.NOT_FINITE, 0L),
            counts.read());
        throw Errors.invalid(
            format(
                "no row of the corpus %s has text to augment (%s)", spec.paths(), counts.leftOut()),
            "name files with text");
      }
      policy.check(invalid(spec, counts), counts.read());
      publish(staging, written, counts);
      LOG.info(
          "Wrote {} rows to {} in {} s; rows left out: {}",
          counts.written(),
          destination,
          (System.nanoTime() - start) / 1_000_000_000,
          counts.leftOut());
      return result(spec, counts);
    } finally {
      storage.fileSystem(staging).delete(staging, true);
    }
  }

  /** Returns the invalid rows; blank lines of prose are not rows. */
  private InvalidRows invalid(CorpusSpec spec, RowCounts counts) {
    return RowTokenizer.cut(settings, spec).mode() == Segmenter.Mode.ROW
        ? counts.invalid()
        : counts.invalid().without(InvalidRows.EMPTY);
  }

  private List<AugmentTask.Written> write(Corpus corpus, CorpusSpec spec, Path staging)
      throws IOException {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    JavaRDD<SourceRow> rows =
        corpus.rows().getNumPartitions() < context.defaultParallelism()
            ? corpus.rows().repartition(context.defaultParallelism())
            : corpus.rows();
    Augmentation augmentation = model == null ? rules(context, rows, corpus) : replacement(model);
    Path unfinished = new Path(staging, UNFINISHED);
    storage.fileSystem(unfinished).mkdirs(unfinished);
    AugmentTask task =
        new AugmentTask(
            unfinished.toString(),
            augmentation,
            new Augmentation.Draws(
                settings.get(Options.AUGMENT_COPIES), settings.get(Options.AUGMENT_SEED)),
            new AugmentTask.Layout(
                spec.columns().pair() != null,
                spec.columns().label() != null,
                settings.get(Options.AUGMENT_KEEP),
                settings.get(Options.CORPUS_CLASSES)));
    int parts = parts(corpus.rowCount(), augmentation.rowsOfPart());
    String description = format("%,d rows", corpus.rowCount());
    try (TrackedJob job = TrackedJob.start(spark, GROUP, description)) {
      LongAccumulator done =
          job.count("augmented rows", Progress.start("augment", corpus.rowCount(), "rows"));
      return job.run(
          () ->
              rows.mapToPair(row -> new Tuple2<>(row.key(), row))
                  .repartitionAndSortWithinPartitions(new HashPartitioner(parts))
                  .values()
                  .mapPartitionsWithIndex(
                      (part, partRows) -> List.of(task.write(part, partRows, done::add)).iterator(),
                      false)
                  .collect());
    }
  }

  /**
   * Returns the number of parts, which depends only on the corpus. Parts of a small corpus are
   * smaller.
   */
  static int parts(long rows, int rowsOfPart) {
    long partSize = Math.min(rowsOfPart, Math.max(MIN_ROWS_OF_PART, rows / MIN_PARTS + 1));
    return Math.toIntExact(Math.max(1, (rows + partSize - 1) / partSize));
  }

  private Augmentation rules(JavaSparkContext context, JavaRDD<SourceRow> rows, Corpus corpus) {
    WordsByTag words;
    try (TrackedJob job = TrackedJob.start(spark, GROUP, "parts of speech")) {
      LongAccumulator tagged =
          job.count("tagged rows", Progress.start("tag", corpus.rowCount(), "rows"));
      words = job.run(() -> TagCounts.of(rows, tagged::add));
    }
    return new Augmentation.Rules(
        new RuleAugmentation.Probabilities(
            settings.get(Options.AUGMENT_MASK),
            settings.get(Options.AUGMENT_POS),
            settings.get(Options.AUGMENT_NGRAM)),
        context.broadcast(words));
  }

  private ReplaceableWords.Stops stops() {
    return ReplaceableWords.Stops.valueOf(
        settings.get(Options.AUGMENT_STOP_WORDS).toUpperCase(Locale.ROOT));
  }

  private Augmentation replacement(String maskedLm) {
    return new Augmentation.MaskedLm(
        maskedLm,
        vectors,
        new Augmentation.MaskedLm.Choice(
            settings.get(Options.AUGMENT_CANDIDATES),
            settings.get(Options.AUGMENT_REPLACE),
            stops()),
        new Augmentation.MaskedLm.Pass(
            settings.get(Options.AUGMENT_SHOW)
                ? Augmentation.MaskedLm.ModelInput.MASKED_TEXT_AND_ORIGINAL
                : Augmentation.MaskedLm.ModelInput.MASKED_TEXT,
            settings.get(Options.MAX_LENGTH),
            settings.get(Options.CACHE_BATCH_TOKENS),
            Precision.of(settings.get(Options.CACHE_PRECISION)),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1)));
  }

  private void publish(Path staging, List<AugmentTask.Written> written, RowCounts counts)
      throws IOException {
    Path unfinished = new Path(staging, UNFINISHED);
    for (AugmentTask.Written part : written) {
      if (part.file() != null) {
        storage.rename(
            new Path(unfinished, part.file()),
            new Path(staging, format("part-%05d.parquet", part.part())));
      }
    }
    storage.fileSystem(unfinished).delete(unfinished, true); // left by failed attempts
    storage.writeJson(new Path(staging, REPORT), AugmentReport.of(settings.allValues(), counts));
    try {
      storage.renameExclusively(staging, destination);
    } catch (FileAlreadyExistsException e) {
      throw alreadyThere();
    }
    Pattern left = Pattern.compile(Pattern.quote(prefix()) + "[0-9a-f]{8}");
    for (FileStatus status : storage.fileSystem(destination).listStatus(destination.getParent())) {
      if (left.matcher(status.getPath().getName()).matches()) {
        storage.fileSystem(destination).delete(status.getPath(), true); // left by killed runs
      }
    }
  }

  private String prefix() {
    return "_" + destination.getName() + "-augmenting-";
  }

  private Result result(CorpusSpec spec, RowCounts counts) {
    return new Result(
        destination.toString(),
        new Counts(
            counts.read(),
            counts.leftOutRows(),
            counts.written(),
            counts.duplicates(),
            counts.replacedShare()),
        next(spec),
        InvalidRowPolicy.line(invalid(spec, counts), counts.read()));
  }

  /** Returns the settings of the larger corpus that differ from the recipe. */
  private List<String> next(CorpusSpec spec) {
    List<String> next = new ArrayList<>();
    next.add("corpus.path=" + settings.get(Options.AUGMENT_TO));
    next.add("corpus.text=text");
    if (spec.columns().pair() != null) {
      next.add("corpus.pair=pair");
    }
    if (spec.columns().label() != null) {
      next.add("corpus.label=label");
    }
    next.add("corpus.id=id");
    next.add("corpus.format=parquet"); // task=... would set TSV
    if (spec.limit() > 0) {
      next.add("corpus.limit=0");
    }
    Segmenter.Mode mode = RowTokenizer.cut(settings, spec).mode();
    if (mode != Segmenter.Mode.ROW) {
      next.add("corpus.segment=" + mode.name().toLowerCase(Locale.ROOT));
    }
    return List.copyOf(next);
  }
}
