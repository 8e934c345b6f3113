package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.train.recipe.Stage;
import io.stillhouse.jobs.train.recipe.StageJob;
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

  /** Creates the job of a stage, which checks the stage's recipe. */
  private interface JobFactory<R> {
    StageJob<R> of(Stage stage) throws IOException;
  }

  /** Trains a recipe's student and its baseline through all stages. */
  public static TrainJob.Result train(SparkSession spark, Settings settings) throws IOException {
    List<StageJob<TrainJob.Result>> jobs = jobs(settings, stage -> new TrainJob(spark, stage));
    TrainJob.Result result = jobs.get(0).run();
    for (StageJob<TrainJob.Result> job : jobs.subList(1, jobs.size())) {
      result = job.run();
    }
    return result;
  }

  /** Trains the students of a sweep through all stages, and stops after a stage with a failure. */
  public static SweepJob.Result sweep(SparkSession spark, Settings settings) throws IOException {
    int count = settings.get(Options.STAGES).size();
    if (count > 1 && !settings.get(Options.HALVING_AT).isEmpty()) {
      throw Errors.invalid(
          format(
              "sweep.halving.at is %s, but train.stages names %d stages, and each needs all"
                  + " students of the previous one",
              settings.get(Options.HALVING_AT), count),
          "remove one of these settings");
    }
    List<StageJob<SweepJob.Result>> jobs = jobs(settings, stage -> new SweepJob(spark, stage));
    SweepJob.Result result = jobs.get(0).run();
    for (StageJob<SweepJob.Result> job : jobs.subList(1, jobs.size())) {
      if (result.exitCode() != 0) {
        break;
      }
      result = job.run();
    }
    return result;
  }

  /**
   * Creates the jobs of all stages before any of them runs, so that mistakes are reported first.
   */
  private static <R> List<StageJob<R>> jobs(Settings settings, JobFactory<R> factory)
      throws IOException {
    List<StageJob<R>> jobs = new ArrayList<>();
    for (Stage stage : Stage.of(settings)) {
      jobs.add(factory.of(jobs.isEmpty() ? stage : stage.after(jobs.get(0).students())));
    }
    requireOneStudent(jobs);
    return jobs;
  }

  /** Requires that all stages train weights of the same shape, with the same tokenizer. */
  private static void requireOneStudent(List<? extends StageJob<?>> stages) throws IOException {
    StageJob<?> first = stages.get(0);
    for (int number = 2; number <= stages.size(); number++) {
      StageJob<?> other = stages.get(number - 1);
      Optional<String> how =
          TokenizerComparison.difference(first.teacher().path(), other.teacher().path(), List.of());
      if (how.isPresent()) {
        throw Errors.invalid(
            format(
                "the teacher of stage %d in train.stages has a different tokenizer than that of"
                    + " stage 1 (%s), but both train the same student",
                number, how.get()),
            "use teachers with the same vocabulary and casing");
      }
      for (StudentRun before : first.students()) {
        for (StudentRun run : other.students()) {
          if (run.name().equals(before.name()) && !shape(run).equals(shape(before))) {
            throw Errors.invalid(
                format(
                    "%s is %s in the first of train.stages and %s in stage %d, which starts from"
                        + " it",
                    run.name(), shape(before), shape(run), number),
                "set the student.* sizes that default to those of each stage's teacher");
          }
        }
      }
    }
  }

  /** Describes the shape of a student's weights, which all stages must share. */
  private static String shape(StudentRun run) {
    return run.model() instanceof EncoderSpec spec
        ? format(
            "%s with %d tokens, %d positions and %d segments, hidden size %d (embedding tables %d),"
                + " %d blocks of %d heads, intermediate size %d",
            spec.architecture().name().toLowerCase(Locale.ROOT),
            spec.vocabSize(),
            spec.embeddings().maxPositions(),
            spec.embeddings().typeVocabSize(),
            spec.hiddenSize(),
            spec.embeddingSize(),
            spec.layers(),
            spec.heads(),
            spec.blocks().intermediateSize())
        : run.model().parameters().entrySet().stream()
            .map(weight -> weight.getKey() + " " + Arrays.toString(weight.getValue()))
            .collect(Collectors.joining(", ", "a BiLSTM of ", ""));
  }
}
