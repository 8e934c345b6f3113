package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.Staging;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.layout.Window;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.CorpusFiles;
import io.stillhouse.jobs.corpus.InvalidRowPolicy;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.RowTokenizer;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Segmenter;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Plans a cache: reads text as a recipe specifies, tokenizes it for the first teacher, and commits
 * which rows are in which shard.
 */
final class CorpusPlanner {
  private static final Logger LOG = LoggerFactory.getLogger(CorpusPlanner.class);
  private static final int FIRST_SHARD = 0;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Path cache;
  private final CorpusSpec wanted;
  private final ShardSize size;
  private final InvalidRowPolicy policy;

  /** Creates a planner whose new shards have the given size. */
  CorpusPlanner(CacheContext context, ShardSize size) {
    this.spark = context.spark();
    this.settings = context.settings();
    this.storage = context.storage();
    this.cache = context.cache();
    this.wanted = context.corpus();
    this.size = size;
    this.policy = InvalidRowPolicy.of(settings);
  }

  /**
   * Plans in a staging directory next to the cache and renames it into place, so that a cache
   * always has a plan and exactly one of two concurrent planning runs succeeds.
   *
   * @param window window of targets that the cache holds at a time; null if it holds all
   */
  void create(
      HuggingFaceDirectory teacher,
      Map<String, String> fingerprints,
      HashedCorpus corpus,
      @Nullable Window window)
      throws IOException {
    Staging staging = new Staging(storage, cache);
    try {
      Path model = TeacherFolder.model(staging.directory(), "");
      for (java.nio.file.Path file : ModelFiles.all(teacher.path())) {
        storage.publish(file, new Path(model, file.getFileName().toString()));
      }
      PlanPart part = part(staging.directory(), wanted, corpus, FIRST_SHARD);
      CachePlan plan =
          new CachePlan(
              Targets.VERSION,
              fingerprints,
              part,
              Fingerprints.directory(storage, teacher.path()),
              window);
      ManifestLog.read(storage, staging.directory()).append(new ManifestChange.PlanAdded(plan));
      storage.writeText(new Path(staging.directory(), CachePlan.FILE), plan.toJson());
      staging.commit();
    } catch (Exception e) { // Spark throws checked exceptions that it does not declare
      staging.requireNoCacheYet(e);
      throw e;
    } finally {
      staging.delete();
    }
  }

  /**
   * Reads files and writes their rows as the inputs of new shards.
   *
   * @param firstShard the number of the first new shard
   * @throws StillhouseException if the text has no tokens, or too many rows without tokens; the
   *     inputs are then deleted
   */
  PlanPart part(Path directory, CorpusSpec spec, HashedCorpus files, int firstShard)
      throws IOException {
    long start = System.nanoTime();
    Corpus corpus = Corpus.read(spark, spec, files.files());
    ShardWriter.WrittenShards written = write(directory, spec, corpus, firstShard, size);
    boolean prose = RowTokenizer.cut(settings, spec).mode() != Segmenter.Mode.ROW;
    PlanPart.Counts read =
        new PlanPart.Counts(
            written.rows(),
            written.tokens(),
            prose ? corpus.blankRows() : 0,
            written.invalid().counts());
    try {
      if (written.tokens() == 0 && written.invalid().without(InvalidRows.EMPTY).count() == 0) {
        throw Errors.invalid(
            format("no row of the corpus %s contains a token", spec.paths()),
            "name files with text");
      }
      policy.check(written.invalid(), written.rows());
      if (written.tokens() == 0) {
        throw Errors.invalid(
            format(
                "no row of the corpus %s is valid: %s", spec.paths(), written.invalid().inWords()),
            "correct the rows");
      }
    } catch (StillhouseException e) {
      discard(directory, written.files());
      throw e;
    }
    LOG.debug(
        "planned shards {}..{} of cache '{}': {} rows, {} tokens, {} invalid rows, in {} s",
        firstShard,
        firstShard + written.shards().size() - 1,
        cache,
        read.rows(),
        read.tokens(),
        read.invalidRows(),
        Math.round((System.nanoTime() - start) / 1e9));
    return new PlanPart(size.mostTokens(), written.shards(), read, files.hashes(), written.files());
  }

  /** Deletes inputs that no manifest entry will name. */
  void discard(Path directory, List<CacheFile> files) throws IOException {
    for (CacheFile file : files) {
      Path path = new Path(directory, file.path());
      storage.fileSystem(path).delete(path, false);
    }
  }

  /** Rewrites the inputs of a part into another directory, so that lost ones can be replaced. */
  ShardWriter.WrittenShards rewrite(Path directory, PlanPart part, CorpusFiles files)
      throws IOException {
    Corpus corpus = Corpus.read(spark, wanted, files);
    return write(directory, wanted, corpus, part.firstShard(), new ShardSize(part.shardTokens()));
  }

  /**
   * Writes the inputs of all text into a directory that is not a cache.
   *
   * @param model directory in which tasks find the teacher's tokenizer
   */
  void writeInputs(Path directory, Path model, HuggingFaceDirectory teacher) {
    new ShardWriter(spark, size, settings.get(Options.CACHE_SEED))
        .write(
            directory, Corpus.read(spark, wanted), tokenizer(model, teacher, wanted), FIRST_SHARD);
  }

  private ShardWriter.WrittenShards write(
      Path directory, CorpusSpec spec, Corpus corpus, int firstShard, ShardSize shardSize)
      throws IOException {
    // A new cache is planned in a staging directory, which holds the teacher, too.
    boolean exists = storage.exists(cache);
    Path model = TeacherFolder.model(exists ? cache : directory, "");
    HuggingFaceDirectory teacher =
        exists
            ? CacheReader.teacher(storage, cache)
            : HuggingFaceDirectory.open(Models.copy(model.toString()));
    return new ShardWriter(spark, shardSize, settings.get(Options.CACHE_SEED))
        .write(directory, corpus, tokenizer(model, teacher, spec), firstShard);
  }

  /**
   * Returns the tokenizer of rows. All rows of a cache are made for the head of its first teacher.
   */
  private RowTokenizer tokenizer(Path model, HuggingFaceDirectory teacher, CorpusSpec spec) {
    Head head = ModelCheck.of(settings, "the teacher", teacher.spec()).head();
    RowTokenizer.Mask mask =
        RowTokenizer.Mask.of(
            settings, settings.get(Options.MASK_VARIANTS), settings.get(Options.CACHE_SEED));
    return RowTokenizer.of(settings, model.toString(), head, spec, mask);
  }

  /**
   * Requires that the rows of a cache without targets are few enough.
   *
   * @param teacher name of the teacher whose targets are counted, "" for the first one
   */
  void requireFewInvalid(CachePlan plan, CacheState state, String teacher) throws IOException {
    long rows = plan.corpus().rows();
    if (!policy.allows(plan.corpus().invalidRows() + state.invalidRows(teacher), rows)) {
      policy.check(invalid(plan, state, teacher), rows);
    }
  }

  /** Returns the rows of a cache without targets of a teacher. */
  InvalidRows invalid(CachePlan plan, CacheState state, String teacher) throws IOException {
    return new CacheInvalidRows(storage, cache, plan).of(state, teacher);
  }
}
