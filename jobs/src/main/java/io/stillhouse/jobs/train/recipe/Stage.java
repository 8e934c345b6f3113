package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LiveMetrics;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Baseline;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/**
 * One stage of training a student, which starts from the weights of the previous stage, as
 * TinyBERT's prediction stage starts from the intermediate one (arXiv:1909.10351, section 4.2). The
 * students of the last stage are the result. Those of the other stages are kept in {@code _stages}
 * next to them, so that a restart resumes in the stage that was interrupted.
 *
 * @param settings the recipe with the stage's own values, and the directory of its students
 * @param values the stage's own values, which override those of a sweep's students
 * @param hasOthers whether the recipe has other stages
 * @param before directories of the students of previous stages, the most recent first
 * @param first the students of the first stage; empty in that stage itself
 */
public record Stage(
    Settings settings,
    Map<String, String> values,
    boolean hasOthers,
    List<Path> before,
    List<StudentRun> first) {
  private static final String DIRECTORY = "_stages";

  /** Returns the only stage of a recipe without stages. */
  public static Stage only(Settings settings) {
    return new Stage(settings, Map.of(), false, List.of(), List.of());
  }

  /** Returns a copy that follows the first stage, whose students are given. */
  public Stage after(List<StudentRun> students) {
    return new Stage(settings, values, hasOthers, before, students);
  }

  /** Returns the stages of a recipe, or its only one. */
  public static List<Stage> of(Settings settings) {
    List<Map<String, String>> named = settings.get(Options.STAGES);
    if (named.isEmpty()) {
      return List.of(only(settings));
    }
    Storage storage = Storage.ofThisProcess();
    Path students = storage.qualify(settings.get(Options.TRAIN_PATH));
    List<Stage> stages = new ArrayList<>();
    List<Path> before = new ArrayList<>();
    for (int number = 1; number <= named.size(); number++) {
      Map<String, String> values = new LinkedHashMap<>(named.get(number - 1));
      String name = values.remove(Options.STUDENT_NAME.key());
      Path to =
          number == named.size()
              ? students
              : new Path(students, format("%s/%d-%s", DIRECTORY, number, name));
      values.put(Options.TRAIN_PATH.key(), to.toString());
      values.put(Options.STAGES.key(), "[]");
      String metrics = settings.get(Options.METRICS);
      if (number < named.size() && LiveMetrics.isDirectory(metrics)) {
        values.put(Options.METRICS.key(), new Path(metrics, to.getName()).toString());
      }
      stages.add(
          new Stage(
              Recipe.shrink(settings.with(values)),
              Map.copyOf(values),
              named.size() > 1,
              List.copyOf(before),
              List.of()));
      before.add(0, to);
    }
    return stages;
  }

  /** Returns whether this is the first stage. */
  public boolean isFirst() {
    return before.isEmpty();
  }

  /**
   * Returns a student that starts from the weights of the previous stages, which are trained by
   * now.
   */
  public StudentRun started(StudentRun run, Storage storage) throws IOException {
    return isFirst() ? run : run.withStart(start(run.name(), run.model(), storage));
  }

  /**
   * Returns where a student starts after the first stage: from the most recent stage that trained
   * it. If there is none, because it is a baseline and no stage had labels yet, it starts where the
   * student started in the first stage.
   */
  StudentRun.Start start(String name, ModelSpec model, Storage storage) throws IOException {
    int layers = model instanceof EncoderSpec encoder ? encoder.layers() : 1;
    for (Path stage : before) {
      Path from = new Path(stage, name);
      if (storage.exists(from)) {
        return StudentRun.Start.allBlocks(from, layers, TrainedStudent.prunedHeads(storage, from))
            .withFingerprint(TrainedStudent.fingerprint(storage, from));
      }
    }
    return first.stream()
        .filter(run -> name.equals(run.name()) || name.equals(Baseline.name(run.name())))
        .findFirst()
        .orElseThrow()
        .start();
  }
}
