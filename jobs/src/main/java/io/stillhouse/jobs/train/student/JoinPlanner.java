package io.stillhouse.jobs.train.student;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.jobs.cache.read.RowJoin;
import io.stillhouse.jobs.cache.read.RowKey;
import io.stillhouse.jobs.corpus.SameTokens;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.FurtherTeacher;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Teachers;
import io.stillhouse.spec.TrainSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;

/**
 * Finds the further teachers of recipes that share a cache, and the rows that all of a recipe's
 * teachers have; nothing is written.
 */
final class JoinPlanner {
  /** Reading more shards than these for one is worth telling. */
  private static final int FEW_SHARDS = 4;

  private final Storage storage;
  private final Path cache;
  private final CacheReader reader;
  private final HuggingFaceDirectory teacher;
  private final Map<List<Object>, RowJoin> joins = new HashMap<>();

  /**
   * @param reader of the cache, of the first teacher
   */
  JoinPlanner(Storage storage, Path cache, CacheReader reader, HuggingFaceDirectory teacher) {
    this.storage = storage;
    this.cache = cache;
    this.reader = reader;
    this.teacher = teacher;
  }

  /**
   * Finds them.
   *
   * @param loss what is learnt from the first teacher
   * @param kept how the recipe says that targets are kept
   * @param notes takes what the user may want to know
   * @throws io.stillhouse.error.StillhouseException if a teacher cannot teach beside the first, its
   *     cache lacks a column, or rows, unless these may be left out
   */
  Joined plan(
      Settings settings,
      ModelSpec student,
      DistillSpec loss,
      StudentRun.TargetStorage kept,
      TrainSpec train,
      List<String> notes)
      throws IOException {
    List<Joined.Further> further = new ArrayList<>();
    List<String> missing = new ArrayList<>();
    List<BitSet> leftOut = new ArrayList<>();
    Map<List<Object>, String> places = new HashMap<>();
    places.put(List.of(cache, settings.get(Options.TEACHER_NAME)), "the recipe's first teacher");
    for (FurtherTeacher each : FurtherTeacher.of(settings)) {
      Path its =
          storage.requireExisting("cache of teacher '%s'".formatted(each.name()), each.cache());
      String known = places.putIfAbsent(List.of(its, each.teacher()), "'" + each.name() + "'");
      if (known != null) {
        throw Errors.invalid(
            "teacher '%s' in loss.teachers is %s (cache '%s')".formatted(each.name(), known, its),
            "name another one's cache or teacher, or take it away and change the other's weight");
      }
      HuggingFaceDirectory from = CacheReader.teacher(storage, its, each.teacher());
      DistillSpec learnt = each.loss(settings, student, teacher.spec(), loss, from.spec());
      CacheReader other = CacheReader.open(storage, its, each.teacher(), List.of());
      requireNoWindow(cache, reader);
      requireNoWindow(its, other);
      List<String> ofTokens = each.tokenTerms(settings, student.head().task());
      requireSameTokens(each, from, ofTokens);
      other.with(ColumnSelection.of(learnt, from.spec(), kept, other::has).columns());
      JoinedReader.Tokens tokens =
          ofTokens.isEmpty() ? JoinedReader.Tokens.ANY : JoinedReader.Tokens.SAME;
      RowJoin join = join(train, its, each.teacher(), other, tokens);
      String words = join.missingInWords(cache.toString(), its.toString());
      if (!words.isEmpty()) {
        missing.add(words);
        add(join.missing(), leftOut);
      }
      if (join.mostShards() > FEW_SHARDS) {
        notes.add(
            "the rows of one shard of '%s' lie in up to %d shards of '%s', which are read again for each; caches of one corpus with the same train.seed and cache.shard-tokens have them together"
                .formatted(cache, join.mostShards(), its));
      }
      further.add(
          new Joined.Further(
              each.name(),
              new Joined.Source(its.toString(), each.teacher(), other.plan().fingerprints()),
              tokens,
              new Teachers.Further(each.weight(), learnt),
              join.shards()));
    }
    if (further.isEmpty()) {
      return Joined.NOTHING;
    }
    requireRows(settings, train, missing, leftOut, notes);
    return new Joined(settings.get(Options.TEACHER_WEIGHT), further, leftOut);
  }

  private static void requireNoWindow(Path cache, CacheReader of) {
    if (of.plan().window() != null) {
      throw Errors.invalid(
          "cache '%s' has a window, and loss.teachers joins whole caches".formatted(cache),
          "make it with %s=0".formatted(Options.CACHE_WINDOW.key()));
    }
  }

  private void requireSameTokens(
      FurtherTeacher each, HuggingFaceDirectory from, List<String> ofTokens) throws IOException {
    Optional<String> how =
        ofTokens.isEmpty()
            ? Optional.empty()
            : SameTokens.difference(teacher.path(), from.path(), List.of());
    if (how.isPresent()) {
      throw Errors.invalid(
          "teacher '%s' in loss.teachers has another tokenizer than the first teacher (%s), and %s compare%s targets of tokens"
              .formatted(
                  each.name(),
                  how.get(),
                  String.join(", ", ofTokens),
                  ofTokens.size() == 1 ? "s" : ""),
          "leave these out of its terms: task logits and first-token-mse are of rows");
    }
  }

  private RowJoin join(
      TrainSpec train, Path its, String name, CacheReader other, JoinedReader.Tokens tokens)
      throws IOException {
    List<Object> key = List.of(train.batching().order(), its, name, tokens);
    RowJoin join = joins.get(key);
    if (join == null) {
      join =
          RowJoin.of(
              StudentParts.inOrder(reader, train),
              cache.toString(),
              other,
              its.toString(),
              tokens == JoinedReader.Tokens.SAME ? RowKey.With.TEXT_AND_TOKENS : RowKey.With.TEXT);
      joins.put(key, join);
    }
    return join;
  }

  private static void add(List<BitSet> missing, List<BitSet> leftOut) {
    for (int shard = 0; shard < missing.size(); shard++) {
      if (shard == leftOut.size()) {
        leftOut.add(new BitSet());
      }
      leftOut.get(shard).or(missing.get(shard));
    }
  }

  private void requireRows(
      Settings settings,
      TrainSpec train,
      List<String> missing,
      List<BitSet> leftOut,
      List<String> notes) {
    if (missing.isEmpty()) {
      return;
    }
    String key = Options.MISSING_ROWS.key();
    if (!settings.get(Options.MISSING_ROWS).equals("leave-out")) {
      throw Errors.all(
          missing.stream()
              .map(
                  words ->
                      "%s; cache the whole corpus with that teacher, or set %s=leave-out to train without these rows"
                          .formatted(words, key))
              .toList());
    }
    List<Integer> shardRows = StudentParts.inOrder(reader, train).shardRows();
    if (JoinedReader.remaining(shardRows, leftOut).stream().allMatch(rows -> rows == 0)) {
      throw Errors.invalid(
          "the teachers of loss.teachers have no row in common (%s)"
              .formatted(String.join("; ", missing)),
          "cache the same corpus, with the same corpus.id, with each");
    }
    missing.forEach(words -> notes.add("left out of training, by %s: %s".formatted(key, words)));
  }
}
