package io.stillhouse.jobs.cache;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.text.Corpus;
import io.stillhouse.jobs.text.CorpusFiles;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** Reads text as a recipe says, and cuts it into units with the tokenizer of the first teacher. */
final class Planning {
  private static final int FIRST_UNIT = 0;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final long unitTokens;

  /**
   * @param unitTokens the most tokens of a new unit
   */
  Planning(SparkSession spark, Settings settings, Storage storage, Path cache, long unitTokens) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.cache = cache;
    this.unitTokens = unitTokens;
  }

  /**
   * Plans in a directory of this run's own beside the cache and renames it into place, so that a
   * cache always has its plan, and of two runs that plan at once one wins.
   */
  void begin(
      HuggingFaceDirectory teacher,
      Map<String, String> fingerprints,
      CorpusFiles corpus,
      List<CorpusFile> hashed,
      @Nullable Window window)
      throws IOException {
    Staging staging = new Staging(storage, cache);
    try {
      storage.publish(teacher.path(), TeacherFolder.model(staging.directory(), ""));
      CorpusSpec spec = Recipe.corpus(settings);
      Part part = part(staging.directory(), spec, corpus, hashed, FIRST_UNIT);
      Plan plan =
          new Plan(
              Targets.VERSION,
              fingerprints,
              part.unitTokens(),
              part.units(),
              part.corpus(),
              Fingerprints.directory(storage, teacher.path()),
              part.inputs(),
              hashed,
              window);
      Manifest.read(storage, staging.directory()).append(Manifest.Entry.first(plan));
      storage.writeText(new Path(staging.directory(), Plan.FILE), plan.toJson());
      staging.becomeTheCache();
    } catch (Exception e) { // Spark throws checked ones that it does not declare
      staging.requireStillNoCache(e);
      throw e;
    } finally {
      staging.delete();
    }
  }

  /** Reads files and writes their rows as the inputs of units, counted from {@code firstUnit}. */
  Part part(
      Path directory, CorpusSpec spec, CorpusFiles files, List<CorpusFile> hashed, int firstUnit)
      throws IOException {
    Corpus corpus = Corpus.read(spark, spec, files);
    Planner.Planned planned = write(directory, spec, corpus, firstUnit, unitTokens);
    boolean prose = Tokenising.cut(settings, spec).mode() != Segmenter.Mode.ROW;
    Plan.Read read =
        new Plan.Read(
            planned.rows(), planned.tokens(), prose ? corpus.blankRows() : 0, planned.poison());
    try {
      if (planned.tokens() == 0) {
        throw Errors.invalid(
            "no row of the corpus %s holds a token".formatted(spec.paths()),
            "name files with text");
      }
      requireFewPoisoned(read, 0);
    } catch (StillhouseException e) {
      discard(directory, planned.files());
      throw e;
    }
    return new Part(unitTokens, planned.units(), read, hashed, planned.files());
  }

  /** Deletes inputs that shall not count. */
  void discard(Path directory, List<CacheFile> files) throws IOException {
    for (CacheFile file : files) {
      Path path = new Path(directory, file.path());
      storage.fileSystem(path).delete(path, false);
    }
  }

  /** Writes the inputs of a part anew into another directory, to restore some of them. */
  Planner.Planned again(Path directory, Part part, CorpusFiles files) throws IOException {
    CorpusSpec spec = Recipe.corpus(settings);
    return write(
        directory, spec, Corpus.read(spark, spec, files), part.firstUnit(), part.unitTokens());
  }

  /** Writes the inputs of all text into a directory that no cache lies in. */
  void alone(Path directory, Path model, HuggingFaceDirectory teacher) {
    CorpusSpec spec = Recipe.corpus(settings);
    new Planner(spark, directory, unitTokens, settings.get(Options.SEED))
        .write(
            Corpus.read(spark, spec), tokenising(model, teacher.spec().head(), spec), FIRST_UNIT);
  }

  private Planner.Planned write(
      Path directory, CorpusSpec spec, Corpus corpus, int firstUnit, long mostUnitTokens)
      throws IOException {
    // A new cache is planned beside its place, teacher and all.
    boolean exists = storage.exists(cache);
    Path model = TeacherFolder.model(exists ? cache : directory, "");
    HuggingFaceDirectory teacher =
        exists
            ? CacheReader.teacher(storage, cache)
            : HuggingFaceDirectory.open(Models.copy(model.toString()));
    return new Planner(spark, directory, mostUnitTokens, settings.get(Options.SEED))
        .write(corpus, tokenising(model, teacher.spec().head(), spec), firstUnit);
  }

  /** Returns how rows are made: all of a cache's for the head of its first teacher. */
  private Tokenising tokenising(Path model, Head head, CorpusSpec spec) {
    boolean labelled = Recipe.labelled(settings) && head.task().pooled();
    return new Tokenising(
        model.toString(),
        new Tokenising.Labels(head.task(), head.labels(), labelled),
        Tokenising.cut(settings, spec),
        head.task() == Task.MASKED_LM
            ? new Tokenising.Mask(
                settings.get(Options.MASK_PROBABILITY),
                settings.get(Options.MASK_VARIANTS),
                settings.get(Options.SEED))
            : null);
  }

  /**
   * Requires that the share of rows without targets is within the recipe's limit.
   *
   * @param notFinite rows for which the teacher's output is not finite, beside the corpus's own
   */
  void requireFewPoisoned(Plan.Read corpus, long notFinite) {
    double most = settings.get(Options.MAX_POISON);
    long poisoned = corpus.poisonRows() + notFinite;
    if (poisoned > most * corpus.rows()) {
      Map<String, Long> reasons = new TreeMap<>(corpus.poison());
      if (notFinite > 0) {
        reasons.put("the teacher's output is not finite", notFinite);
      }
      throw Errors.invalid(
          "%,d of %,d rows have no targets (%s), a share over cache.max-poison (%s)"
              .formatted(poisoned, corpus.rows(), reasons, most),
          "mend the corpus or the teacher, or raise cache.max-poison");
    }
  }
}
