package io.stillhouse.jobs.train.student;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.TargetRecipe;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.SameTokens;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Makes students of recipes that share a cache, its teacher, and the held-out rows; what they share
 * is opened once.
 */
public final class RunPlanner {
  private final Storage storage;
  private final Path cache;
  private final String teacherName;
  private final CacheReader reader;
  private final HuggingFaceDirectory teacher;
  private final boolean labelled;
  private final @Nullable Path validationPath;
  private final @Nullable CacheReader validation;
  private final JoinPlanner joins;
  private final Map<String, Integer> foundOfFile = new HashMap<>();
  private final Map<String, Optional<String>> sameTokens = new HashMap<>();

  /**
   * A student, and its baseline if it has one.
   *
   * @param columns the tensor columns that the student reads; its baseline reads none
   * @param notes what the user may want to know
   */
  public record Planned(List<StudentRun> runs, Set<Column> columns, List<String> notes) {}

  /**
   * Opens what is shared.
   *
   * @throws io.stillhouse.error.StillhouseException if a cache is missing, or is not the recipe's
   */
  public RunPlanner(Storage storage, Settings settings) throws IOException {
    this.storage = storage;
    this.cache = storage.requireExisting("cache.path", settings.get(Options.CACHE));
    this.teacherName = settings.get(Options.TEACHER_NAME);
    this.reader = CacheReader.open(storage, cache, teacherName, List.of());
    reader.requireRecipe(settings);
    this.teacher = CacheReader.teacher(storage, cache, teacherName);
    this.joins = new JoinPlanner(storage, cache, reader, teacher);
    this.labelled = labelled(reader);
    String given = settings.get(Options.VALIDATION);
    this.validationPath =
        given.isEmpty() ? null : storage.requireExisting(Options.VALIDATION.key(), given);
    this.validation = validationPath == null ? null : validation(validationPath);
  }

  private CacheReader validation(Path path) throws IOException {
    CacheReader opened = CacheReader.open(storage, path, teacherName, List.of());
    if (opened.plan().window() != null) {
      throw Errors.invalid(
          "train.validation '%s' has a window, and its rows are read by every student"
              .formatted(path),
          "cache the held-out rows with %s=0".formatted(Options.CACHE_WINDOW.key()));
    }
    if (!opened.plan().teacherFiles().equals(reader.plan().teacherFiles())) {
      throw Errors.invalid(
          "train.validation '%s' was made with another teacher than cache '%s'"
              .formatted(path, cache),
          "cache the held-out rows with the same teacher.path");
    }
    return opened;
  }

  /** Returns the number of rows that a student is trained on in an epoch. */
  public long rows(StudentRun run) {
    return StudentParts.rows(reader, run);
  }

  /**
   * Requires a cache that holds all targets.
   *
   * @throws io.stillhouse.error.StillhouseException if its units are dropped
   */
  public void requireNoWindow(String because) {
    if (reader.plan().window() != null) {
      throw Errors.invalid(
          "cache '%s' has a window, and %s".formatted(cache, because),
          "train each student by a train command of its own, or make a cache with %s=0"
              .formatted(Options.CACHE_WINDOW.key()));
    }
  }

  /** Returns the teacher whose targets the cache holds. */
  public HuggingFaceDirectory teacher() {
    return teacher;
  }

  /** Returns the held-out rows, or null if the recipe names none. */
  public @Nullable CacheReader validation() {
    return validation;
  }

  /**
   * Checks a recipe against the cache; nothing is written. Its threads may be 0, for whoever knows
   * how many tasks there will be.
   *
   * @param baseline whether it is to have one, if there are labels
   * @param stage of which the recipe is
   * @throws io.stillhouse.error.StillhouseException if the depths do not fit, the cache lacks a
   *     column, or there are no labels
   */
  public Planned plan(Settings settings, boolean baseline, Stage stage) throws IOException {
    ModelSpec student =
        Recipe.student(
            withTheCachesPair(settings),
            teacher.spec(),
            file -> WordVectorFile.of(storage, Options.WORD_VECTORS.key(), file).width());
    DistillSpec loss =
        LossRecipe.loss(settings, student, teacher.spec())
            .withClassWeights(
                LossRecipe.classWeights(settings, student.head(), () -> rowsOfClasses(reader)));
    StudentRun.TargetStorage kept = kept(settings, loss);
    Set<Column> columns = ColumnSelection.of(loss, teacher.spec(), kept, reader::has).columns();
    reader.with(columns);
    if (loss.hardLabel() != 0 && !labelled) {
      throw Errors.invalid(
          "loss.hard-label.weight is %s, but cache '%s' has no labels"
              .formatted(loss.hardLabel(), cache),
          "cache the corpus with corpus.label, or set the weight to 0");
    }
    List<String> notes = new ArrayList<>();
    // A student of labels alone is its own baseline, unless another stage makes them differ.
    boolean hasBaseline = baseline && labelled && (stage.others() || !hardLabelsAlone(loss));
    if (validation != null) {
      if ((loss.hardLabel() != 0 || hasBaseline) && !labelled(validation)) {
        throw Errors.invalid(
            "train.validation '%s' has no labels, by which %s is measured"
                .formatted(validationPath, loss.hardLabel() != 0 ? "the student" : "the baseline"),
            "cache these rows with corpus.label, or set loss.hard-label.weight=0 and"
                + " train.baseline=false");
      }
      validation.with(ColumnSelection.of(loss, teacher.spec(), kept, validation::has).columns());
    }
    TrainSpec train = Recipe.train(settings, 0);
    Joined joined = joins.plan(settings, student, loss, kept, train, notes);
    StudentRun.Paths places =
        new StudentRun.Paths(
            cache.toString(),
            teacherName,
            kept,
            validationPath == null ? null : validationPath.toString(),
            storage.qualify(settings.get(Options.TRAIN_PATH)).toString(),
            reader.plan().fingerprints(),
            joined);
    String name = settings.get(Options.STUDENT_NAME);
    List<StudentRun> runs = new ArrayList<>();
    StudentRun.Start start = start(settings, student, name, stage, notes);
    runs.add(new StudentRun(name, student, loss, train, start, places));
    if (baseline && !labelled) {
      notes.add("the cache has no labels, so %s has no baseline".formatted(name));
    }
    if (hasBaseline) {
      runs.add(
          new StudentRun(
              baseline(name),
              student,
              loss.baseline(),
              train,
              stage.before().isEmpty()
                  ? start
                  : stage.start(baseline(name), layers(student), storage),
              places.with(joined.rowsAlone())));
    }
    TrainSpec.Selection selection =
        Recipe.selection(
            settings,
            teacher.spec().head().task(),
            loss,
            validation == null ? Recipe.ValidationRows.NONE : Recipe.ValidationRows.MEASURE);
    if (selection.keep() == TrainSpec.Keep.BEST
        && !selection.by().equals("loss")
        && !labelled(validation)) {
      throw Errors.invalid(
          "train.keep is best by %s, but train.validation '%s' has no labels"
              .formatted(selection.by(), validationPath),
          "cache these rows with corpus.label, or set train.keep=last");
    }
    return new Planned(runs.stream().map(run -> run.selecting(selection)).toList(), columns, notes);
  }

  /** Returns what a student's baseline is called. */
  static String baseline(String name) {
    return name.equals("distilled") ? "baseline" : name + "-baseline";
  }

  private static int layers(ModelSpec student) {
    return student instanceof EncoderSpec encoder ? encoder.layers() : 1;
  }

  /** A recipe need not repeat that the cache's rows are pairs, which a BiLSTM reads apart. */
  private Settings withTheCachesPair(Settings settings) {
    String key = Options.CORPUS_PAIR.key();
    String pair = reader.plan().fingerprints().getOrDefault(key, "");
    return settings.has(Options.CORPUS_PAIR) ? settings : settings.with(Map.of(key, pair));
  }

  private StudentRun.TargetStorage kept(Settings settings, DistillSpec loss) {
    MlmTargets mlm = TargetRecipe.mlm(settings, teacher.spec());
    if (teacher.spec().head().task() == Task.MASKED_LM && loss.softLabel().weight() != 0) {
      TargetRecipe.requireServes(mlm, loss.softLabel());
    }
    return new StudentRun.TargetStorage(
        mlm,
        StudentRun.Scores.valueOf(settings.get(Options.TARGETS_SCORES).toUpperCase(Locale.ROOT)));
  }

  private static boolean hardLabelsAlone(DistillSpec loss) {
    return loss.softLabel().weight() == 0 && !loss.readsLayers();
  }

  /** Counts a cache's rows by class; rows without a label are none. */
  public static long[] rowsOfClasses(CacheReader reader) {
    List<Long> counts = new ArrayList<>();
    try {
      for (int shard = 0; shard < reader.shardRows().size(); shard++) {
        for (InputRow row : reader.inputs(shard)) {
          for (int id = counts.size(); row.label() != null && id <= row.label(); id++) {
            counts.add(0L);
          }
          if (row.label() != null) {
            counts.set(row.label().intValue(), counts.get(row.label().intValue()) + 1);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return counts.stream().mapToLong(Long::longValue).toArray();
  }

  /** Returns whether rows of a cache have labels. */
  public boolean labelled(CacheReader of) throws IOException {
    if (teacher.spec().head().task() == Task.NONE) {
      return false;
    }
    List<InputRow> rows = of.inputs(0);
    return teacher.spec().head().task() == Task.MASKED_LM
        ? rows.stream().anyMatch(row -> row.mlmLabels() != null)
        : rows.stream().allMatch(row -> row.label() != null);
  }

  /** Returns where a BiLSTM's word vectors come from; a file is read, so that it is known good. */
  private StudentRun.Start wordVectors(Settings settings, List<String> notes) throws IOException {
    String from = settings.get(Options.WORD_VECTORS);
    String model = TeacherFolder.model(cache, teacherName).toString();
    if (from.equals("random") || from.equals("teacher")) {
      return new StudentRun.Start(from.equals("random") ? null : model, List.of());
    }
    WordVectorFile file = new WordVectorFile(storage, Options.WORD_VECTORS.key(), from);
    int pieces = teacher.spec().vocabSize();
    Integer found = foundOfFile.get(from);
    if (found == null) {
      found = file.of(Models.tokenizer(model)).size();
      foundOfFile.put(from, found);
    }
    if (found == 0) {
      throw Errors.invalid(
          "student.word-vectors '%s' has none of the teacher's %,d word pieces"
              .formatted(from, pieces),
          "use one of the same language and casing, or student.word-vectors=teacher");
    }
    notes.add(
        "%s has vectors of %,d of %,d word pieces; the others start at random"
            .formatted(from, found, pieces));
    return new StudentRun.Start(file.path().toString(), List.of());
  }

  private StudentRun.Start start(
      Settings settings, ModelSpec student, String name, Stage stage, List<String> notes)
      throws IOException {
    if (!stage.before().isEmpty()) {
      return stage.start(name, layers(student), storage);
    }
    return student instanceof EncoderSpec encoder
        ? start(settings, encoder)
        : wordVectors(settings, notes);
  }

  private StudentRun.Start start(Settings settings, EncoderSpec student) throws IOException {
    String init = settings.get(Options.STUDENT_INIT);
    if (init.equals("random")) {
      return new StudentRun.Start(null, List.of());
    }
    if (init.equals("teacher")) {
      if (student.hiddenSize() != teacher.spec().hiddenSize()
          || student.blocks().intermediateSize() != teacher.spec().blocks().intermediateSize()) {
        throw Errors.invalid(
            "student.init is teacher, but the student's width (%d, %d inside) is not the teacher's (%d, %d)"
                .formatted(
                    student.hiddenSize(),
                    student.blocks().intermediateSize(),
                    teacher.spec().hiddenSize(),
                    teacher.spec().blocks().intermediateSize()),
            "set student.init=random, or the widths to the teacher's");
      }
      requireSameHeads("student.init is teacher, which", teacher.spec(), student);
      List<Integer> blocks = Recipe.initLayers(settings, student, teacher.spec());
      return new StudentRun.Start(
          TeacherFolder.model(cache, teacherName).toString(),
          blocks,
          Pruning.of(settings, storage, student, teacher, blocks));
    }
    Path given = storage.requireExisting("student.init", init);
    HuggingFaceDirectory from = HuggingFaceDirectory.open(storage.local(given));
    if (from.spec().layers() < student.layers()) {
      throw Errors.invalid(
          "student.init '%s' has %d layers, the student %d"
              .formatted(init, from.spec().layers(), student.layers()),
          "start from a model at least as deep");
    }
    requireSameHeads("student.init '%s'".formatted(init), from.spec(), student);
    requireSameTokens(init, from);
    boolean asDeep = from.spec().layers() == student.layers();
    List<Integer> blocks =
        settings.get(Options.INIT_LAYERS).isEmpty() && asDeep
            ? IntStream.rangeClosed(1, student.layers()).boxed().toList()
            : Recipe.initLayers(settings, student, from.spec());
    return new StudentRun.Start(
            given.toString(), blocks, Pruning.of(settings, storage, student, from, blocks))
        .of(TrainTask.recorded(storage, given));
  }

  /** Weights of one number of heads have the shapes of another's, but mean nothing there. */
  private static void requireSameHeads(String what, EncoderSpec from, EncoderSpec student) {
    if (from.heads() != student.heads()) {
      throw Errors.invalid(
          "%s has %d attention heads, and the student %d"
              .formatted(what, from.heads(), student.heads()),
          "set student.heads=%d, or student.init=random".formatted(from.heads()));
    }
  }

  private void requireSameTokens(String init, HuggingFaceDirectory from) throws IOException {
    if (!sameTokens.containsKey(init)) { // the same for all students of a sweep
      sameTokens.put(init, SameTokens.difference(teacher.path(), from.path(), List.of()));
    }
    Optional<String> how = sameTokens.get(init);
    if (how.isPresent()) {
      throw Errors.invalid(
          "student.init '%s' has another tokenizer than the cache's teacher (%s), whose tokens the student reads"
              .formatted(init, how.get()),
          "start from a model of the same vocabulary and casing, or set student.init=random");
    }
  }
}
