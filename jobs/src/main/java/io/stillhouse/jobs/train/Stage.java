package io.stillhouse.jobs.train;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Recipe;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.SameTokens;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.spec.ModelSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

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
  record Made(List<StudentRun> students, HuggingFaceDirectory teacher) {}

  /** Checks a stage; nothing is written. */
  private interface Plan {
    Made of(Stage stage) throws IOException;
  }

  /** A recipe without stages. */
  static Stage only(Settings settings) {
    return new Stage(settings, Map.of(), false, List.of(), List.of());
  }

  /** Trains a recipe's student and its twin through all stages. */
  public static TrainJob.Result train(SparkSession spark, Settings settings) throws IOException {
    List<Stage> stages = checked(settings, stage -> new TrainJob(spark, stage).made());
    TrainJob.Result result = new TrainJob(spark, stages.get(0)).run();
    for (Stage stage : stages.subList(1, stages.size())) {
      result = new TrainJob(spark, stage).run();
    }
    return result;
  }

  /** Trains the students of a sweep through all stages; one that fails ends it after its stage. */
  public static SweepJob.Result sweep(SparkSession spark, Settings settings) throws IOException {
    int count = settings.get(Options.STAGES).size();
    if (count > 1 && !settings.get(Options.HALVING_AT).isEmpty()) {
      throw Errors.invalid(
          "sweep.halving.at is %s, but train.stages names %d stages, of which each goes on from the one before"
              .formatted(settings.get(Options.HALVING_AT), count),
          "take one away");
    }
    List<Stage> stages = checked(settings, stage -> new SweepJob(spark, stage).made());
    SweepJob.Result result = new SweepJob(spark, stages.get(0)).run();
    for (Stage stage : stages.subList(1, stages.size())) {
      if (result.exitCode() != 0) {
        break;
      }
      result = new SweepJob(spark, stage).run();
    }
    return result;
  }

  /** What is wrong with the last stage is told before the first begins. */
  private static List<Stage> checked(Settings settings, Plan plan) throws IOException {
    List<Stage> stages = new ArrayList<>();
    List<Made> made = new ArrayList<>();
    for (Stage stage : of(settings)) {
      stages.add(made.isEmpty() ? stage : stage.after(made.get(0).students()));
      made.add(plan.of(stages.get(stages.size() - 1)));
    }
    requireOneStudent(made);
    return stages;
  }

  private Stage after(List<StudentRun> students) {
    return new Stage(settings, values, others, before, students);
  }

  /**
   * Requires that weights of one stage are those of the next: of one shape, and of the same tokens.
   */
  private static void requireOneStudent(List<Made> stages) throws IOException {
    Made first = stages.get(0);
    for (int number = 2; number <= stages.size(); number++) {
      Made other = stages.get(number - 1);
      Optional<String> how =
          SameTokens.difference(first.teacher().path(), other.teacher().path(), List.of());
      if (how.isPresent()) {
        throw Errors.invalid(
            "the teacher of stage %d in train.stages has another tokenizer than that of the first (%s), and one student reads both"
                .formatted(number, how.get()),
            "take teachers of the same vocabulary and casing");
      }
      for (StudentRun before : first.students()) {
        for (StudentRun run : other.students()) {
          if (run.name().equals(before.name()) && !shape(run).equals(shape(before))) {
            throw Errors.invalid(
                "%s is %s in the first of train.stages and %s in stage %d, which goes on from it"
                    .formatted(run.name(), shape(before), shape(run), number),
                "give the sizes that student.* leaves to each stage's teacher");
          }
        }
      }
    }
  }

  /** Returns what must be equal of a student's weights from one stage to the next, in words. */
  private static String shape(StudentRun run) {
    return run.model() instanceof ModelSpec of
        ? "%s of %d tokens, %d positions and %d segments, %d wide (tables %d), %d blocks of %d heads, %d inside"
            .formatted(
                of.architecture().name().toLowerCase(Locale.ROOT),
                of.vocabSize(),
                of.embeddings().maxPositions(),
                of.embeddings().typeVocabSize(),
                of.hiddenSize(),
                of.embeddingSize(),
                of.layers(),
                of.heads(),
                of.blocks().intermediateSize())
        : run.model().parameters().entrySet().stream()
            .map(weight -> weight.getKey() + " " + Arrays.toString(weight.getValue()))
            .collect(Collectors.joining(", ", "a BiLSTM of ", ""));
  }

  /** Returns the stages of a recipe: itself, where it names none. */
  static List<Stage> of(Settings settings) {
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
   * made it ended; where none has, being a twin that had no labels yet, as the student did.
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
        .filter(run -> name.equals(run.name()) || name.equals(RunPlanner.twin(run.name())))
        .findFirst()
        .orElseThrow()
        .start();
  }
}
