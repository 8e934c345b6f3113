package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.TargetSource;
import io.stillhouse.train.Lockstep;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.Trainer;
import io.stillhouse.train.Validation;
import java.io.IOException;
import java.nio.file.Files;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.commons.io.FileUtils;
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Trains one student inside a Spark task, and publishes its directory. */
public final class TrainTask implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(TrainTask.class);
  private static final Gson LINE = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final StudentRun run;
  private final Consumer<StepReport> listener;
  private final Storage storage = Storage.ofThisProcess();
  private final History history = History.empty();
  private @Nullable Opened opened;
  private @Nullable Map<String, NDArray> weights;
  private TrainSpec.@Nullable KeptStep keptStep;

  /** The open caches and tensors of a running training. */
  private record Opened(StudentParts parts, TrainingWindow window, NDManager manager) {}

  /**
   * @param listener receives every step, with means over the latest steps
   */
  public TrainTask(StudentRun run, Consumer<StepReport> listener) {
    this.run = run;
    this.listener = listener;
  }

  /**
   * Trains the student alone. If another attempt of the task has already published it, returns that
   * result.
   */
  public TrainedStudent train() throws IOException {
    try {
      Optional<TrainedStudent> before = TrainedStudent.finished(storage, run);
      if (before.isPresent()) {
        LOG.info("student '{}' is already trained ({})", run.name(), run.directory());
        cleanUp(TrainingWindow.open(run, storage));
        return before.get();
      }
      open();
      Opened open = opened();
      Map<String, NDArray> start = start();
      try (Trainer.Run training =
          trainer(open.parts().source())
              .begin(open.manager(), start, open.parts().teacherParts(open.manager()))) {
        logBegin();
        while (training.step()) { // the listener receives every step
          if (isToEnd() && !training.isFinished()) {
            saveIfPossible(training);
            end();
          }
        }
        keptStep = training.keptStep();
      }
      return publish();
    } finally {
      close();
    }
  }

  /**
   * Returns whether Spark has asked the calling task to end. Tasks must ask between two steps,
   * because native code ignores interrupts.
   */
  public static boolean isToEnd() {
    TaskContext task = TaskContext.get();
    return task != null && task.isInterrupted();
  }

  /** Ends the calling task for the reason for which Spark has asked it to end. */
  public static void end() {
    Objects.requireNonNull(TaskContext.get()).killTaskIfInterrupted();
  }

  /** Writes a checkpoint, unless the thread is interrupted, which would damage the write. */
  public static void saveIfPossible(Trainer.Run training) throws IOException {
    if (!Thread.currentThread().isInterrupted()) {
      training.checkpoint();
    }
  }

  /** Opens what the training needs. */
  public void open() throws IOException {
    StudentParts parts = new StudentParts(run, storage);
    TrainingWindow window = new TrainingWindow(run, storage, parts.reader());
    opened = new Opened(parts, window, Devices.manager());
  }

  /** Starts the training of a student that shares its task with others. */
  public Trainer.Run join(Lockstep others, TargetSource source, TeacherParts teacher)
      throws IOException {
    Map<String, NDArray> start = start();
    Trainer.Run training = others.begin(trainer(source), opened().manager(), start, teacher);
    logBegin();
    return training;
  }

  private Opened opened() {
    return Objects.requireNonNull(opened, "the task was not opened");
  }

  private Map<String, NDArray> start() throws IOException {
    Map<String, NDArray> initial = opened().parts().initial(opened().manager());
    weights = initial;
    return initial;
  }

  private Map<String, NDArray> weights() {
    return Objects.requireNonNull(weights, "the training has not begun");
  }

  private Trainer trainer(TargetSource source) throws IOException {
    return new Trainer(
        opened().parts().setup(),
        source,
        opened().window().acknowledging(new HadoopCheckpoints(storage, run.checkpoints(), history)),
        this::record,
        run.train().selection().keep() == TrainSpec.Keep.BEST ? this::selectionScore : null);
  }

  private void logBegin() {
    List<StepReport> steps = history.steps();
    LOG.info(
        "student '{}' starts after step {} (attempt {}, device {}, {} threads, checkpoints in {})",
        run.name(),
        steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step(),
        attempt(),
        opened().manager().getDevice(),
        run.train().run().threads(),
        run.checkpoints());
  }

  private static int attempt() {
    TaskContext task = TaskContext.get();
    return task == null ? 0 : task.attemptNumber();
  }

  public StudentParts parts() {
    return opened().parts();
  }

  public StudentRun student() {
    return run;
  }

  /** Returns the result so far, with measurements on the validation rows. */
  public TrainedStudent measuredResult() throws IOException {
    return partialResult(validation());
  }

  /** Returns the result so far. */
  public TrainedStudent partialResult() {
    return partialResult(Map.of());
  }

  private TrainedStudent partialResult(Map<String, Double> validation) {
    List<StepReport> steps = history.steps();
    return new TrainedStudent(
        run.name(),
        run.directory().toString(),
        run.fingerprint(),
        new TrainedStudent.Model(
            run.model().parameterCount(),
            run.start().pruned().isEmpty() ? null : run.start().pruned().blocks()),
        new TrainedStudent.Training(
            steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step(),
            keptStep,
            run.paths().joined().rowsLeftOut()),
        new TrainedStudent.Losses(
            mean(0, tenth()), mean(steps.size() - tenth(), steps.size()), validation),
        speed());
  }

  /** Measures the terms on the validation rows, the weighted sum of the terms, and the metrics. */
  private Map<String, Double> validation() throws IOException {
    String cache = run.paths().validation();
    return cache == null ? Map.of() : validation(cache, weights());
  }

  private Map<String, Double> validation(String cache, Map<String, NDArray> weights)
      throws IOException {
    StudentParts parts = opened().parts();
    Validation.Measured measured;
    try (NDManager scope = opened().manager().newSubManager()) {
      measured =
          new Validation(parts.setup(), parts.validationRows(cache))
              .measure(scope, weights, parts.validationParts(scope, cache));
    }
    DistillLoss loss =
        new DistillLoss(run.loss(), ModelFactory.predictor(run.model(), weights), weights);
    Map<String, Double> named = new LinkedHashMap<>();
    named.put("loss", 0.0);
    measured
        .terms()
        .forEach(
            (term, value) -> {
              named.put(term.id(), value);
              named.merge("loss", loss.weight(term) * value, Double::sum);
            });
    named.putAll(measured.metrics());
    return named;
  }

  /** Returns the quality of weights by the recipe's selection criterion; larger is better. */
  private double selectionScore(Map<String, NDArray> weights) throws IOException {
    String by = run.train().selection().by();
    Double value = validation(Objects.requireNonNull(run.paths().validation()), weights).get(by);
    if (value == null) {
      throw new IllegalStateException(format("%s was not measured", by));
    }
    return by.equals("loss") ? -value : value;
  }

  /** Adds a step to the history, and passes the means over the latest steps to the listener. */
  private void record(StepReport step) {
    history.record(step);
    listener.accept(StepReport.withRecentWork(history.steps()));
  }

  /** Publishes a student that shared its task with others. */
  public TrainedStudent publish(Trainer.Run training) throws IOException {
    keptStep = training.keptStep();
    return publish();
  }

  /** Measures the trained student and moves it into place. */
  private TrainedStudent publish() throws IOException {
    Map<String, NDArray> trainedWeights = weights();
    Map<String, NDArray> studentWeights = new LinkedHashMap<>();
    run.model()
        .parameters()
        .keySet()
        .forEach(
            name -> studentWeights.put(name, Objects.requireNonNull(trainedWeights.get(name))));
    TrainedStudent trained = measuredResult();
    java.nio.file.Path local = Files.createTempDirectory("stillhouse-student");
    try {
      ModelDirectory.write(local, run.model(), studentWeights, opened().parts().teacher().path());
      StudentParts.writeProjections(local, trainedWeights);
      trained.write(local);
      Files.write(local.resolve("metrics.jsonl"), metrics());
      if (!history.rounds().isEmpty()) {
        Files.write(
            local.resolve("rounds.jsonl"), history.rounds().stream().map(LINE::toJson).toList());
      }
      storage.publishOnce(local, run.directory());
      cleanUp(opened().window());
    } finally {
      FileUtils.deleteDirectory(local.toFile());
    }
    LOG.info(
        "student '{}' finished after step {} ({} s of steps, attempt {}): {}",
        run.name(),
        trained.steps(),
        Math.round(trained.speed().seconds()),
        attempt(),
        run.directory());
    return trained;
  }

  /** Deletes the checkpoints of a finished student, and acknowledges all shards. */
  private void cleanUp(TrainingWindow window) throws IOException {
    storage.fileSystem(run.checkpoints()).delete(run.checkpoints(), true);
    window.finished();
  }

  /** Frees the weights. */
  @Override
  public void close() {
    if (opened != null) {
      opened.manager().close();
    }
  }

  private int tenth() {
    int steps = history.steps().size();
    return Math.min(steps, Math.max(1, steps / 10));
  }

  /** Returns the mean of each term over those of some steps that have it. */
  private Map<String, Double> mean(int from, int to) {
    List<StepReport> steps = history.steps().subList(from, to);
    Map<Term, Integer> counts = new EnumMap<>(Term.class);
    steps.forEach(
        step -> step.terms().keySet().forEach(term -> counts.merge(term, 1, Integer::sum)));
    Map<String, Double> sums = new LinkedHashMap<>();
    for (StepReport step : steps) {
      step.terms()
          .forEach(
              (term, value) ->
                  sums.merge(
                      term.id(), value / Objects.requireNonNull(counts.get(term)), Double::sum));
    }
    return sums;
  }

  private TrainedStudent.Speed speed() {
    List<StepReport> steps = history.steps();
    double seconds = steps.stream().mapToDouble(step -> step.work().seconds()).sum();
    double wait = steps.stream().mapToDouble(step -> step.work().waitSeconds()).sum();
    long tokens = steps.stream().mapToLong(step -> step.work().tokens()).sum();
    return new TrainedStudent.Speed(
        seconds,
        seconds == 0 ? 0 : tokens / seconds,
        seconds == 0 ? 0 : wait / seconds,
        run.train().run().threads());
  }

  private List<String> metrics() {
    return history.steps().stream()
        .map(
            step -> {
              Map<String, Object> line = new LinkedHashMap<>();
              line.put("step", step.step());
              line.put("loss", step.loss());
              step.terms().forEach((term, value) -> line.put(term.id(), value));
              line.put("learning-rate", step.optimizer().learningRate());
              line.put("gradient-norm", step.optimizer().gradientNorm());
              line.put("tokens", step.work().tokens());
              line.put("tokens-seen", step.tokensSeen());
              line.put("seconds", step.work().seconds());
              line.put("wait-seconds", step.work().waitSeconds());
              return LINE.toJson(line);
            })
        .toList();
  }
}
