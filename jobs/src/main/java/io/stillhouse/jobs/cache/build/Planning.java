package io.stillhouse.jobs.cache.build;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.Manifest;
import io.stillhouse.jobs.cache.layout.Part;
import io.stillhouse.jobs.cache.layout.Plan;
import io.stillhouse.jobs.cache.layout.Staging;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** Reads text as a recipe says, and cuts it into shards with the tokenizer of the first teacher. */
final class Planning {
  private static final int FIRST_SHARD = 0;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final long shardTokens;

  /**
   * @param shardTokens the most tokens of a new shard
   */
  Planning(SparkSession spark, Settings settings, Storage storage, Path cache, long shardTokens) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.cache = cache;
    this.shardTokens = shardTokens;
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
      Part part = part(staging.directory(), spec, corpus, hashed, FIRST_SHARD);
      Plan plan =
          new Plan(
              Targets.VERSION,
              fingerprints,
              part.shardTokens(),
              part.shards(),
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

  /** Reads files and writes their rows as the inputs of shards, counted from {@code firstShard}. */
  Part part(
      Path directory, CorpusSpec spec, CorpusFiles files, List<CorpusFile> hashed, int firstShard)
      throws IOException {
    Corpus corpus = Corpus.read(spark, spec, files);
    Planner.Planned planned = write(directory, spec, corpus, firstShard, shardTokens);
    boolean prose = RowTokenizer.cut(settings, spec).mode() != Segmenter.Mode.ROW;
    Plan.Read read =
        new Plan.Read(
            planned.rows(), planned.tokens(), prose ? corpus.blankRows() : 0, planned.invalid());
    try {
      if (planned.tokens() == 0) {
        throw Errors.invalid(
            "no row of the corpus %s holds a token".formatted(spec.paths()),
            "name files with text");
      }
      requireFewInvalid(read, 0);
    } catch (StillhouseException e) {
      discard(directory, planned.files());
      throw e;
    }
    return new Part(shardTokens, planned.shards(), read, hashed, planned.files());
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
        directory, spec, Corpus.read(spark, spec, files), part.firstShard(), part.shardTokens());
  }

  /** Writes the inputs of all text into a directory that no cache lies in. */
  void alone(Path directory, Path model, HuggingFaceDirectory teacher) {
    CorpusSpec spec = Recipe.corpus(settings);
    new Planner(spark, directory, shardTokens, settings.get(Options.CACHE_SEED))
        .write(
            Corpus.read(spark, spec), tokenizer(model, teacher.spec().head(), spec), FIRST_SHARD);
  }

  private Planner.Planned write(
      Path directory, CorpusSpec spec, Corpus corpus, int firstShard, long mostShardTokens)
      throws IOException {
    // A new cache is planned beside its place, teacher and all.
    boolean exists = storage.exists(cache);
    Path model = TeacherFolder.model(exists ? cache : directory, "");
    HuggingFaceDirectory teacher =
        exists
            ? CacheReader.teacher(storage, cache)
            : HuggingFaceDirectory.open(Models.copy(model.toString()));
    return new Planner(spark, directory, mostShardTokens, settings.get(Options.CACHE_SEED))
        .write(corpus, tokenizer(model, teacher.spec().head(), spec), firstShard);
  }

  /** Returns how rows are made: all of a cache's for the head of its first teacher. */
  private RowTokenizer tokenizer(Path model, Head head, CorpusSpec spec) {
    RowTokenizer.Mask mask =
        RowTokenizer.Mask.of(
            settings, settings.get(Options.MASK_VARIANTS), settings.get(Options.CACHE_SEED));
    return RowTokenizer.of(settings, model.toString(), head, spec, mask);
  }

  /**
   * Requires that the share of rows without targets is within the recipe's limit.
   *
   * @param notFinite rows for which the teacher's output is not finite, beside the corpus's own
   */
  void requireFewInvalid(Plan.Read corpus, long notFinite) {
    double most = settings.get(Options.MAX_INVALID);
    long invalid = corpus.invalidRows() + notFinite;
    if (invalid > most * corpus.rows()) {
      Map<String, Long> reasons = new TreeMap<>(corpus.invalid());
      if (notFinite > 0) {
        reasons.put("the teacher's output is not finite", notFinite);
      }
      throw Errors.invalid(
          "%,d of %,d rows have no targets (%s), a share over cache.max-invalid (%s)"
              .formatted(invalid, corpus.rows(), reasons, most),
          "mend the corpus or the teacher, or raise cache.max-invalid");
    }
  }
}
