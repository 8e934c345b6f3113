package io.stillhouse.jobs.train;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.SameTokens;
import io.stillhouse.jobs.train.student.Stage;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.spec.EncoderSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;

/** Runs the stages of a recipe one after another. */
public final class StagedTraining {
  private StagedTraining() {}

  /** Checks a stage; nothing is written. */
  private interface Plan {
    Stage.Made of(Stage stage) throws IOException;
  }

  /** Trains a recipe's student and its baseline through all stages. */
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
    List<Stage.Made> made = new ArrayList<>();
    for (Stage stage : Stage.of(settings)) {
      stages.add(made.isEmpty() ? stage : stage.after(made.get(0).students()));
      made.add(plan.of(stages.get(stages.size() - 1)));
    }
    requireOneStudent(made);
    return stages;
  }

  /**
   * Requires that weights of one stage are those of the next: of one shape, and of the same tokens.
   */
  private static void requireOneStudent(List<Stage.Made> stages) throws IOException {
    Stage.Made first = stages.get(0);
    for (int number = 2; number <= stages.size(); number++) {
      Stage.Made other = stages.get(number - 1);
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
    return run.model() instanceof EncoderSpec of
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
}
