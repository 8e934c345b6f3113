package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.WordVectorFile;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.JoinedTeachers;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.recipe.Baseline;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.TargetRecipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.hadoop.fs.Path;

/**
 * Creates the student runs of recipes that share a cache: reads a recipe, checks that the cache
 * meets its needs, and determines where the student starts and what it is trained on. Nothing is
 * written.
 */
public final class StudentRuns {
  private final Storage storage;
  private final TrainingCache cache;
  private final EncoderSpec teacher;
  private final TeacherJoin join;
  private final StudentStarts starts;
  private final LabelledRows labelled;

  /**
   * The runs of one recipe.
   *
   * @param runs the student, and its baseline if it has one; threads are 0 where the recipe does
   *     not set them
   * @param columns the tensor columns that the student reads; its baseline reads none
   * @param notes notes for the user
   */
  public record OfRecipe(List<StudentRun> runs, Set<Column> columns, List<String> notes) {}

  /** What a recipe needs from the cache. */
  private record Needs(
      ModelSpec model,
      DistillSpec loss,
      StudentRun.TargetStorage targetStorage,
      boolean hasBaseline) {}

  public StudentRuns(Storage storage, TrainingCache cache) {
    this.storage = storage;
    this.cache = cache;
    this.teacher = cache.teacher().spec();
    this.join = new TeacherJoin(storage, cache);
    this.starts = new StudentStarts(storage, cache);
    this.labelled = new LabelledRows(cache);
  }

  /**
   * Creates the runs of a recipe.
   *
   * @param baseline whether to train a baseline, if there are labels
   * @param stage the stage that the recipe belongs to
   * @throws io.stillhouse.error.StillhouseException if the numbers of layers do not match, the
   *     cache lacks a column, or there are no labels
   */
  public OfRecipe of(Settings recipe, boolean baseline, Stage stage) throws IOException {
    Needs needs = needs(recipe, baseline, stage);
    Set<Column> columns =
        cache.requireTargets(needs.loss(), needs.targetStorage(), needs.hasBaseline());
    List<String> notes = new ArrayList<>();
    StudentRun student = student(recipe, needs, stage, notes);
    List<StudentRun> runs = new ArrayList<>(List.of(student));
    if (needs.hasBaseline()) {
      runs.add(baselineOf(student, stage));
    } else if (baseline && !cache.isLabelled()) {
      notes.add(format("the cache has no labels, so %s has no baseline", student.name()));
    }
    TrainSpec.Selection selection = selection(recipe, needs.loss());
    List<StudentRun> all = new ArrayList<>();
    for (StudentRun run : runs) {
      all.add(labelled.of(run.withSelection(selection)));
    }
    return new OfRecipe(all, columns, notes);
  }

  private Needs needs(Settings recipe, boolean baseline, Stage stage) throws IOException {
    ModelSpec model =
        Recipe.student(
            withPairOfCache(recipe),
            teacher,
            file -> WordVectorFile.of(storage, Options.WORD_VECTORS.key(), file).width());
    DistillSpec loss =
        LossRecipe.loss(recipe, model, teacher)
            .withClassWeights(LossRecipe.classWeights(recipe, model.head(), cache::classCounts));
    // A student trained on labels alone is its own baseline, unless another stage makes them
    // differ.
    boolean differs = stage.hasOthers() || loss.softLabel().weight() != 0 || loss.readsLayers();
    return new Needs(
        model, loss, targetStorage(recipe, loss), baseline && cache.isLabelled() && differs);
  }

  /**
   * Takes corpus.pair from the cache if the recipe does not set it; a BiLSTM reads the texts of a
   * pair separately.
   */
  private Settings withPairOfCache(Settings recipe) {
    String key = Options.CORPUS_PAIR.key();
    String pair = cache.reader().plan().fingerprints().getOrDefault(key, "");
    return recipe.has(Options.CORPUS_PAIR) ? recipe : recipe.with(Map.of(key, pair));
  }

  private StudentRun.TargetStorage targetStorage(Settings recipe, DistillSpec loss) {
    MlmTargets mlm = TargetRecipe.mlm(recipe, teacher);
    if (teacher.head().task() == Task.MASKED_LM && loss.softLabel().weight() != 0) {
      TargetRecipe.requireSupports(mlm, loss.softLabel());
    }
    return new StudentRun.TargetStorage(
        mlm,
        StudentRun.Scores.valueOf(recipe.get(Options.TARGETS_SCORES).toUpperCase(Locale.ROOT)));
  }

  private StudentRun student(Settings recipe, Needs needs, Stage stage, List<String> notes)
      throws IOException {
    TrainSpec train = Recipe.train(recipe, 0);
    JoinedTeachers joined =
        join.of(recipe, needs.model(), needs.loss(), needs.targetStorage(), train, notes);
    Path validation = cache.validationPath();
    StudentRun.Paths paths =
        new StudentRun.Paths(
            cache.path().toString(),
            cache.teacherName(),
            needs.targetStorage(),
            validation == null ? null : validation.toString(),
            storage.qualify(recipe.get(Options.TRAIN_PATH)).toString(),
            cache.reader().plan().fingerprints(),
            joined);
    String name = recipe.get(Options.STUDENT_NAME);
    StudentRun.Start start =
        stage.isFirst()
            ? starts.of(recipe, needs.model(), notes)
            : stage.start(name, needs.model(), storage);
    return new StudentRun(name, needs.model(), needs.loss(), train, start, paths);
  }

  private StudentRun baselineOf(StudentRun student, Stage stage) throws IOException {
    String name = Baseline.name(student.name());
    StudentRun.Paths paths = student.paths();
    return new StudentRun(
        name,
        student.model(),
        student.loss().baseline(),
        student.train(),
        stage.isFirst() ? student.start() : stage.start(name, student.model(), storage),
        paths.with(paths.joined().withoutAdditional()));
  }

  private TrainSpec.Selection selection(Settings recipe, DistillSpec loss) throws IOException {
    TrainSpec.Selection selection =
        Recipe.selection(
            recipe,
            teacher.head().task(),
            loss,
            cache.validation() == null
                ? Recipe.ValidationRows.NONE
                : Recipe.ValidationRows.MEASURE);
    if (selection.keep() == TrainSpec.Keep.BEST
        && !selection.by().equals("loss")
        && !cache.isLabelled(Objects.requireNonNull(cache.validation()))) {
      throw Errors.invalid(
          format(
              "train.keep is best by %s, but train.validation '%s' has no labels",
              selection.by(), cache.validationPath()),
          "cache these rows with corpus.label, or set train.keep=last");
    }
    return selection;
  }
}
