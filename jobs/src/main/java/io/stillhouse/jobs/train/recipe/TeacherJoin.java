package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.jobs.cache.read.RowJoin;
import io.stillhouse.jobs.cache.read.RowKey;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.CacheSource;
import io.stillhouse.jobs.train.student.ColumnSelection;
import io.stillhouse.jobs.train.student.JoinedTeachers;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.recipe.AdditionalTeacher;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
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
 * Finds the additional teachers of recipes that share a cache, and the rows that all teachers of a
 * recipe have. Nothing is written.
 */
final class TeacherJoin {
  /** A row join that reads more shards than this for one shard is reported in a note. */
  private static final int FEW_SHARDS = 4;

  private final Storage storage;
  private final TrainingCache cache;
  private final Map<List<Object>, RowJoin> joins = new HashMap<>();

  TeacherJoin(Storage storage, TrainingCache cache) {
    this.storage = storage;
    this.cache = cache;
  }

  /**
   * The requirements of one recipe on its additional teachers, and the rows found missing so far.
   */
  private record Request(
      Settings recipe,
      ModelSpec student,
      DistillSpec loss,
      StudentRun.TargetStorage targetStorage,
      TrainSpec train,
      List<String> notes,
      Missing missing) {}

  /** The rows that some teachers lack, in words and by shard of the student's cache. */
  private record Missing(List<String> words, List<BitSet> rows) {
    void add(String inWords, List<BitSet> ofTeacher) {
      words.add(inWords);
      for (int shard = 0; shard < ofTeacher.size(); shard++) {
        if (shard == rows.size()) {
          rows.add(new BitSet());
        }
        rows.get(shard).or(ofTeacher.get(shard));
      }
    }
  }

  /**
   * Joins the caches of a recipe's additional teachers.
   *
   * @param loss the loss with respect to the first teacher
   * @param targetStorage how targets are stored according to the recipe
   * @param notes receives notes for the user
   * @throws io.stillhouse.error.StillhouseException if a teacher cannot be combined with the first,
   *     or if its cache lacks a column or rows that may not be left out
   */
  JoinedTeachers of(
      Settings recipe,
      ModelSpec student,
      DistillSpec loss,
      StudentRun.TargetStorage targetStorage,
      TrainSpec train,
      List<String> notes)
      throws IOException {
    List<AdditionalTeacher> named = AdditionalTeacher.of(recipe);
    if (named.isEmpty()) {
      return JoinedTeachers.NONE;
    }
    Missing missing = new Missing(new ArrayList<>(), new ArrayList<>());
    Request request = new Request(recipe, student, loss, targetStorage, train, notes, missing);
    Map<List<Object>, String> known = new HashMap<>();
    known.put(
        List.of(cache.path(), recipe.get(Options.TEACHER_NAME)), "the recipe's first teacher");
    List<JoinedTeachers.AdditionalTeacher> additional = new ArrayList<>();
    for (AdditionalTeacher each : named) {
      Path path =
          storage.requireExisting(format("cache of teacher '%s'", each.name()), each.cache());
      String other = known.putIfAbsent(List.of(path, each.teacher()), "'" + each.name() + "'");
      if (other != null) {
        throw Errors.invalid(
            format("teacher '%s' in loss.teachers is %s (cache '%s')", each.name(), other, path),
            "set another cache or teacher, or remove it and change the other's weight");
      }
      additional.add(joined(request, each, path));
    }
    requireRows(request);
    return new JoinedTeachers(recipe.get(Options.TEACHER_WEIGHT), additional, missing.rows());
  }

  private JoinedTeachers.AdditionalTeacher joined(
      Request request, AdditionalTeacher each, Path path) throws IOException {
    CacheReader reader = CacheReader.open(storage, path, each.teacher(), List.of());
    HuggingFaceDirectory teacher = reader.teacher();
    DistillSpec loss =
        each.loss(
            request.recipe(),
            request.student(),
            cache.teacher().spec(),
            request.loss(),
            teacher.spec());
    requireNoWindow(cache.path(), cache.reader());
    requireNoWindow(path, reader);
    List<String> tokenTerms = each.tokenTerms(request.recipe(), request.student().head().task());
    requireSameTokens(each, teacher, tokenTerms);
    reader.with(
        ColumnSelection.of(loss, teacher.spec(), request.targetStorage(), reader::has).columns());
    JoinedReader.Tokens tokens =
        tokenTerms.isEmpty() ? JoinedReader.Tokens.ANY : JoinedReader.Tokens.SAME;
    RowJoin join = join(request.train(), path, each.teacher(), reader, tokens);
    note(request, path, join);
    return new JoinedTeachers.AdditionalTeacher(
        each.name(),
        new CacheSource(path.toString(), each.teacher(), reader.plan().fingerprints()),
        tokens,
        each.weight(),
        loss,
        join.shards());
  }

  private void note(Request request, Path path, RowJoin join) {
    String words = join.missingInWords(cache.path().toString(), path.toString());
    if (!words.isEmpty()) {
      request.missing().add(words, join.missing());
    }
    if (join.maxShards() > FEW_SHARDS) {
      request
          .notes()
          .add(
              format(
                  "the rows of one shard of '%s' are spread over up to %d shards of '%s', which are"
                      + " read again for each; to avoid this, cache the corpus with the same"
                      + " cache.seed and cache.shard-tokens for both",
                  cache.path(), join.maxShards(), path));
    }
  }

  private static void requireNoWindow(Path cache, CacheReader reader) {
    if (reader.plan().window() != null) {
      throw Errors.invalid(
          format("cache '%s' has a window, but loss.teachers joins complete caches", cache),
          format("create it with %s=0", Options.CACHE_WINDOW.key()));
    }
  }

  private void requireSameTokens(
      AdditionalTeacher each, HuggingFaceDirectory from, List<String> ofTokens) throws IOException {
    Optional<String> difference =
        ofTokens.isEmpty()
            ? Optional.empty()
            : TokenizerComparison.difference(cache.teacher().path(), from.path(), List.of());
    if (difference.isPresent()) {
      throw Errors.invalid(
          format(
              "teacher '%s' in loss.teachers has a different tokenizer than the first teacher (%s),"
                  + " but %s compare%s targets token by token",
              each.name(),
              difference.get(),
              String.join(", ", ofTokens),
              ofTokens.size() == 1 ? "s" : ""),
          "remove these from its terms; only task logits and first-token-mse allow different "
              + "tokenizers");
    }
  }

  private RowJoin join(
      TrainSpec train, Path path, String name, CacheReader other, JoinedReader.Tokens tokens)
      throws IOException {
    List<Object> key = List.of(train.batching().order(), path, name, tokens);
    RowJoin join = joins.get(key);
    if (join == null) {
      join =
          RowJoin.of(
              StudentParts.inOrder(cache.reader(), train),
              cache.path().toString(),
              other,
              path.toString(),
              tokens == JoinedReader.Tokens.SAME ? RowKey.With.TEXT_AND_TOKENS : RowKey.With.TEXT);
      joins.put(key, join);
    }
    return join;
  }

  private void requireRows(Request request) {
    List<String> missing = request.missing().words();
    if (missing.isEmpty()) {
      return;
    }
    String key = Options.MISSING_ROWS.key();
    if (!request.recipe().get(Options.MISSING_ROWS).equals("leave-out")) {
      throw Errors.all(
          missing.stream()
              .map(
                  words ->
                      format(
                          "%s; cache the whole corpus with that teacher, or set %s=leave-out to"
                              + " train without these rows",
                          words, key))
              .toList());
    }
    List<Integer> shardRows = StudentParts.inOrder(cache.reader(), request.train()).shardRows();
    if (JoinedReader.remaining(shardRows, request.missing().rows()).stream()
        .allMatch(rows -> rows == 0)) {
      throw Errors.invalid(
          format(
              "the teachers of loss.teachers have no row in common (%s)",
              String.join("; ", missing)),
          "cache the same corpus, with the same corpus.id, with each teacher");
    }
    missing.forEach(
        words -> request.notes().add(format("left out of training, by %s: %s", key, words)));
  }
}
