package io.stillhouse.jobs.train.student;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.metrics.LiveMetrics;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/**
 * One of the trainings that a student goes through one after another, each from where the one
 * before ended; TinyBERT's intermediate and prediction stages are two (arXiv:1909.10351, section
 * 4.2). The last one's students are the result, the others' lie below {@code _stages} beside them,
 * so a restart goes on in the stage that was under way.
 *
 * @param settings the recipe with the stage's own values, and where its students go
 * @param values the stage's own, which win over those of a sweep's students
 * @param others whether the recipe has other stages
 * @param before directories of the students of the stages before, the nearest first
 * @param first the students of the first stage; empty for that one itself
 */
public record Stage(
    Settings settings,
    Map<String, String> values,
    boolean others,
    List<Path> before,
    List<StudentRun> first) {
  private static final String DIRECTORY = "_stages";

  /** What a stage trains, and whose targets it reads. */
  public record Made(List<StudentRun> students, HuggingFaceDirectory teacher) {}

  /** A recipe without stages. */
  public static Stage only(Settings settings) {
    return new Stage(settings, Map.of(), false, List.of(), List.of());
  }

  /** Returns this as a stage that follows the first, whose students are given. */
  public Stage after(List<StudentRun> students) {
    return new Stage(settings, values, others, before, students);
  }

  /** Returns the stages of a recipe: itself, where it names none. */
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
              : new Path(students, "%s/%d-%s".formatted(DIRECTORY, number, name));
      values.put(Options.TRAIN_PATH.key(), to.toString());
      values.put(Options.STAGES.key(), "[]");
      String metrics = settings.get(Options.METRICS);
      if (number < named.size() && LiveMetrics.named(metrics)) {
        values.put(Options.METRICS.key(), new Path(metrics, to.getName()).toString());
      }
      stages.add(
          new Stage(
              Recipe.shrunk(settings.with(values)),
              Map.copyOf(values),
              named.size() > 1,
              List.copyOf(before),
              List.of()));
      before.add(0, to);
    }
    return stages;
  }

  /**
   * Returns where a student begins in a stage after the first: where the nearest stage that has
   * made it ended; where none has, being a baseline that had no labels yet, as the student did.
   */
  StudentRun.Start start(String name, int layers, Storage storage) throws IOException {
    for (Path stage : before) {
      Path from = new Path(stage, name);
      if (storage.exists(from)) {
        return StudentRun.Start.whole(from, layers, Pruning.recorded(storage, from))
            .of(TrainTask.recorded(storage, from));
      }
    }
    return first.stream()
        .filter(run -> name.equals(run.name()) || name.equals(RunPlanner.baseline(run.name())))
        .findFirst()
        .orElseThrow()
        .start();
  }
}
