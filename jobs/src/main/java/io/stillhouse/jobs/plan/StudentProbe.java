package io.stillhouse.jobs.plan;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/** Trains the recipe's student, and its baseline, for a few steps from the probe's cache. */
final class StudentProbe {
  private static final double SMALL_STEP = 256;
  private static final int MIN_STEPS = 3;
  private static final int MAX_STEPS = 12;

  /** Share of the remaining time that the second run may take; the rest is a safety margin. */
  private static final double TIME_SHARE = 0.6;

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final Scratch scratch;

  /**
   * The speed of one model, without reading targets: a step of n tokens takes {@code perStep + n *
   * perToken} seconds.
   */
  record Speed(String name, double perStep, double perToken) {
    double seconds(double steps, double tokens) {
      return steps * perStep + tokens * perToken;
    }
  }

  /**
   * The measurements of the runs.
   *
   * @param speeds speeds of the student and its baseline
   * @param sequential whether they train one after the other, instead of at the same time
   * @param columns columns that the student reads
   * @param startSeconds seconds of a training outside its steps
   */
  record Student(List<Speed> speeds, boolean sequential, Set<Column> columns, double startSeconds) {

    /** Returns the seconds of all steps, of student and baseline together. */
    double seconds(double steps, double tokens) {
      var each = speeds.stream().mapToDouble(speed -> speed.seconds(steps, tokens));
      return sequential ? each.sum() : each.max().orElseThrow();
    }
  }

  /** Mean seconds and tokens of a model's steps, without the first one. */
  private record MeanStep(String name, double seconds, double tokens) {}

  /**
   * One training.
   *
   * @param otherSeconds seconds of the training outside its steps
   */
  private record Run(
      List<MeanStep> means, double otherSeconds, Set<Column> columns, boolean sequential) {
    double stepSeconds() {
      return sequential
          ? means.stream().mapToDouble(MeanStep::seconds).sum()
          : means.stream().mapToDouble(MeanStep::seconds).max().orElseThrow();
    }
  }

  StudentProbe(SparkSession spark, Settings settings, Storage storage, Scratch scratch) {
    this.spark = spark;
    this.settings = settings;
    this.storage = storage;
    this.scratch = scratch;
  }

  /** Trains with small steps, then with the recipe's batch size or the largest that time allows. */
  Student run(Path cache, double tokensPerRow, Deadline deadline) throws IOException {
    int wanted = settings.get(Options.BATCH_SIZE);
    int smallBatch = (int) Math.max(1, Math.min(wanted, SMALL_STEP / tokensPerRow));
    Run small =
        deadline.run("a student was trained", () -> train(cache, "small", smallBatch, MIN_STEPS));
    double time = TIME_SHARE * deadline.left() - small.otherSeconds();
    double step = small.stepSeconds() * wanted / smallBatch;
    int rows = wanted;
    int steps = (int) Math.min(MAX_STEPS, time / step);
    if (steps <= MIN_STEPS) {
      steps = MIN_STEPS + 1;
      rows = (int) Math.min(wanted, smallBatch * time / steps / small.stepSeconds());
    }
    if (rows < wanted && rows < 2 * smallBatch) {
      return student(small, small, smallBatch, smallBatch);
    }
    int large = rows;
    int count = steps;
    Run second = deadline.run("a student was trained", () -> train(cache, "large", large, count));
    return student(small, second, wanted, large);
  }

  /**
   * Returns the speeds of the second run if it had the recipe's batch size, or else of a straight
   * line through both runs.
   */
  private static Student student(Run small, Run second, int wanted, int rows) {
    List<Speed> speeds = new ArrayList<>();
    for (int i = 0; i < second.means().size(); i++) {
      MeanStep mean = second.means().get(i);
      MeanStep less = small.means().get(i);
      double perToken = mean.seconds() / mean.tokens();
      double perStep = 0;
      if (rows < wanted && mean.tokens() > less.tokens()) {
        double slope = (mean.seconds() - less.seconds()) / (mean.tokens() - less.tokens());
        perToken = Math.max(0, Math.min(perToken, slope));
        perStep = mean.seconds() - perToken * mean.tokens();
      }
      speeds.add(new Speed(mean.name(), perStep, perToken));
    }
    return new Student(speeds, second.sequential(), second.columns(), small.otherSeconds());
  }

  private Run train(Path cache, String name, int rows, int steps) throws IOException {
    Map<String, String> values = new TreeMap<>();
    // The probe's cache has different shards from those that the recipe's cache will have.
    Map<String, String> cut = CacheReader.open(storage, cache, List.of()).plan().fingerprints();
    Options.ALL.stream()
        .map(Option::key)
        .filter(cut::containsKey)
        .forEach(key -> values.put(key, cut.get(key)));
    values.put(Options.CACHE.key(), cache.toString());
    values.put(Options.TEACHER_NAME.key(), "");
    values.put(Options.TRAIN_PATH.key(), scratch.path("students-" + name).toString());
    values.put(Options.EPOCHS.key(), Integer.toString(Integer.MAX_VALUE));
    values.put(Options.MAX_STEPS.key(), Integer.toString(steps));
    values.put(Options.BATCH_SIZE.key(), Integer.toString(rows));
    values.put(Options.CHECKPOINT_EVERY.key(), "0");
    values.put(Options.WORKERS.key(), "1");
    values.put(Options.LOOKAHEAD.key(), "false");
    values.put(Options.METRICS.key(), "none");
    values.put(Options.TEACHERS.key(), "[]"); // their caches have other rows than the probe's
    long start = System.nanoTime();
    TrainJob job = new TrainJob(spark, settings.with(values));
    TrainJob.Result result = job.run();
    double wall = (System.nanoTime() - start) / 1e9;
    List<MeanStep> means = new ArrayList<>();
    for (TrainedStudent trained : result.students()) {
      means.add(mean(trained));
    }
    Run run = new Run(means, 0, job.columns(), job.trainsSequentially());
    double otherSeconds = Math.max(0, wall - steps * run.stepSeconds());
    return new Run(means, otherSeconds, run.columns(), run.sequential());
  }

  private MeanStep mean(TrainedStudent trained) throws IOException {
    String lines = storage.readText(new Path(trained.directory(), "metrics.jsonl"));
    double seconds = 0;
    double tokens = 0;
    int steps = 0;
    for (String line : lines.lines().skip(1).toList()) { // the first step warms up
      JsonObject step = JsonParser.parseString(line).getAsJsonObject();
      seconds += step.get("seconds").getAsDouble() - step.get("wait-seconds").getAsDouble();
      tokens += step.get("tokens").getAsDouble();
      steps++;
    }
    return new MeanStep(trained.name(), seconds / steps, tokens / steps);
  }
}
