package io.stillhouse.jobs.train.student;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.TargetSource;
import io.stillhouse.train.Lockstep;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.Trainer;
import io.stillhouse.train.Validation;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/** Trains one student, inside a task, and publishes its directory. */
public final class TrainTask implements AutoCloseable {
  private static final Gson LINE = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final StudentRun run;
  private final Consumer<StepReport> listener;
  private final Storage storage = Storage.ofThisProcess();
  private final History history = History.empty();
  private @Nullable StudentParts parts;
  private @Nullable StudentWindow window;
  private @Nullable NDManager manager;
  private @Nullable Map<String, NDArray> weights;
  private TrainSpec.@Nullable Chosen chosen;

  public TrainTask(StudentRun run, Consumer<StepReport> listener) {
    this.run = run;
    this.listener = listener;
  }

  /**
   * What became of a student; also {@code training.json} in its directory.
   *
   * @param chosen which weights it has, where those of the last step were not simply kept
   * @param prunedHeads of each block with weights of its own, from 1; null where every head stays
   * @param rowsLeftOut rows of the cache that were not trained on, because a further teacher's
   *     lacks them; null where all were
   */
  public record Trained(
      String name,
      String directory,
      String fingerprint,
      long parameters,
      long steps,
      Losses losses,
      Speed speed,
      TrainSpec.@Nullable Chosen chosen,
      @Nullable List<List<Integer>> prunedHeads,
      @Nullable Integer rowsLeftOut)
      implements Serializable {

    /** Returns one line for people. */
    public String summary() {
      StringBuilder line =
          new StringBuilder(
              "%s: %,d parameters, %,d steps, %,.0f tokens/s"
                  .formatted(name, parameters, steps, speed.tokensPerSecond()));
      losses
          .first()
          .forEach(
              (term, first) ->
                  line.append(", %s %.3f to %.3f".formatted(term, first, losses.last().get(term))));
      losses
          .validation()
          .forEach((term, value) -> line.append(", held-out %s %.4f".formatted(term, value)));
      if (prunedHeads != null) {
        line.append(", %,d heads pruned".formatted(new PrunedHeads(prunedHeads).count()));
      }
      if (rowsLeftOut != null) {
        line.append(", %,d rows left out".formatted(rowsLeftOut));
      }
      if (chosen != null) {
        line.append(", best at step %,d".formatted(chosen.step()));
      }
      return line.toString();
    }
  }

  /**
   * Mean of each term over the first and the last tenth of the steps, and over all held-out rows,
   * if there are any, with the loss that these add up to.
   */
  public record Losses(
      Map<String, Double> first, Map<String, Double> last, Map<String, Double> validation)
      implements Serializable {}

  /**
   * Wall time of this process's steps, their tokens a second, the share of time spent waiting for
   * data, and threads.
   */
  public record Speed(double seconds, double tokensPerSecond, double waitShare, int threads)
      implements Serializable {}

  /** Returns what became of a student that is finished; empty if it is not. */
  public static Optional<Trained> finished(Storage storage, StudentRun run) throws IOException {
    if (!storage.exists(run.directory())) {
      return Optional.empty();
    }
    Trained trained = record(storage, run.directory());
    if (trained == null || !trained.fingerprint().equals(run.fingerprint())) {
      throw Errors.invalid(
          "'%s' holds a student of another recipe or cache".formatted(run.directory()),
          "choose another student.name or train.path, or delete that directory");
    }
    return Optional.of(trained);
  }

  private static @Nullable Trained record(Storage storage, Path student) throws IOException {
    Path record = new Path(student, "training.json");
    return storage.exists(record)
        ? Storage.JSON.fromJson(storage.readText(record), Trained.class)
        : null;
  }

  /** Returns the fingerprint of a finished student; empty if it has none. */
  static String recorded(Storage storage, Path student) throws IOException {
    Trained trained = record(storage, student);
    return trained == null || trained.fingerprint() == null ? "" : trained.fingerprint();
  }

  /** Trains it alone; of one that a lost task has published already, says how it went. */
  public Trained train() throws IOException {
    try {
      Optional<Trained> before = finished(storage, run);
      if (before.isPresent()) {
        window = StudentWindow.of(run, storage);
        tidy();
        return before.get();
      }
      open();
      weights = parts.initial(manager);
      try (Trainer.Run training =
          trainer(parts.source()).begin(manager, weights, parts.teacherParts(manager))) {
        while (training.step()) {
          // the listener tells
        }
        chosen = training.chosen();
      }
      return publish();
    } finally {
      close();
    }
  }

  /** Opens what a training needs. */
  public void open() throws IOException {
    parts = new StudentParts(run, storage);
    window = StudentWindow.of(run, storage);
    manager = Devices.manager();
  }

  /** Begins the training beside others. */
  public Trainer.Run join(Lockstep others, TargetSource source, TeacherParts teacher)
      throws IOException {
    weights = parts.initial(manager);
    return others.begin(trainer(source), manager, weights, teacher);
  }

  private Trainer trainer(TargetSource source) throws IOException {
    return new Trainer(
        parts.setup(),
        source,
        window.acknowledging(new HadoopCheckpoints(storage, run.checkpoints(), history)),
        this::record,
        run.train().selection().keep() == TrainSpec.Keep.BEST ? this::worth : null);
  }

  public StudentParts parts() {
    return parts;
  }

  public StudentRun student() {
    return run;
  }

  /** Returns how it goes, held-out rows included. */
  public Trained measured() throws IOException {
    return soFar(validation());
  }

  /** Returns how it goes. */
  public Trained soFar() {
    return soFar(Map.of());
  }

  private Trained soFar(Map<String, Double> validation) {
    List<StepReport> steps = history.steps();
    return new Trained(
        run.name(),
        run.directory().toString(),
        run.fingerprint(),
        run.model().parameterCount(),
        steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step(),
        new Losses(mean(0, tenth()), mean(steps.size() - tenth(), steps.size()), validation),
        speed(),
        chosen,
        run.start().pruned().isEmpty() ? null : run.start().pruned().blocks(),
        run.places().joined().rowsLeftOut());
  }

  /** Returns the terms over held-out rows by name, the loss that they add up to, and rates. */
  private Map<String, Double> validation() throws IOException {
    String cache = run.places().validation();
    if (cache == null) {
      return Map.of();
    }
    return validation(cache, weights);
  }

  private Map<String, Double> validation(String cache, Map<String, NDArray> of) throws IOException {
    Validation.Measured measured;
    try (NDManager scope = manager.newSubManager()) {
      measured =
          new Validation(parts.setup(), parts.validation(cache))
              .measure(scope, of, parts.teacherParts(scope, cache));
    }
    DistillLoss loss = new DistillLoss(run.loss(), ModelFactory.predictor(run.model(), of), of);
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

  /** Returns how good weights are by what the recipe selects by; larger is better. */
  private double worth(Map<String, NDArray> of) throws IOException {
    String by = run.train().selection().by();
    Double value = validation(run.places().validation(), of).get(by);
    if (value == null) {
      throw new IllegalStateException("%s was not measured".formatted(by));
    }
    return by.equals("loss") ? -value : value;
  }

  /** The file of all steps has each one's own time; who looks on sees the last ones' together. */
  private void record(StepReport step) {
    List<StepReport> steps = history.steps();
    steps.add(step);
    listener.accept(StepReport.lately(steps));
  }

  /** Publishes the student of a training beside others. */
  public Trained publish(Trainer.Run training) throws IOException {
    chosen = training.chosen();
    return publish();
  }

  /** Measures the finished student and moves it into place. */
  private Trained publish() throws IOException {
    Map<String, NDArray> own = new LinkedHashMap<>();
    run.model().parameters().keySet().forEach(name -> own.put(name, weights.get(name)));
    Trained trained = measured();
    java.nio.file.Path local = Files.createTempDirectory("stillhouse-student");
    try {
      ModelDirectory.write(local, run.model(), own, parts.teacher().path());
      StudentParts.writeProjections(local, weights);
      Files.writeString(local.resolve("training.json"), Storage.JSON.toJson(trained) + "\n");
      Files.write(local.resolve("metrics.jsonl"), metrics());
      if (!history.rounds().isEmpty()) {
        Files.write(
            local.resolve("rounds.jsonl"), history.rounds().stream().map(LINE::toJson).toList());
      }
      storage.publishOnce(local, run.directory());
      tidy();
    } finally {
      FileUtils.deleteDirectory(local.toFile());
    }
    return trained;
  }

  /** Deletes what a finished student needs no more. */
  private void tidy() throws IOException {
    storage.fileSystem(run.checkpoints()).delete(run.checkpoints(), true);
    window.finished();
  }

  /** Lets go of the weights. */
  @Override
  public void close() {
    if (manager != null) {
      manager.close();
    }
  }

  private int tenth() {
    int steps = history.steps().size();
    return Math.min(steps, Math.max(1, steps / 10));
  }

  private Map<String, Double> mean(int from, int to) {
    Map<String, Double> sums = new LinkedHashMap<>();
    for (StepReport step : history.steps().subList(from, to)) {
      step.terms()
          .forEach(
              (Term term, Double value) -> sums.merge(term.id(), value / (to - from), Double::sum));
    }
    return sums;
  }

  private Speed speed() {
    List<StepReport> steps = history.steps();
    double seconds = steps.stream().mapToDouble(step -> step.work().seconds()).sum();
    double wait = steps.stream().mapToDouble(step -> step.work().waitSeconds()).sum();
    long tokens = steps.stream().mapToLong(step -> step.work().tokens()).sum();
    return new Speed(
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
              line.put("learning-rate", step.optimiser().learningRate());
              line.put("gradient-norm", step.optimiser().gradientNorm());
              line.put("tokens", step.work().tokens());
              line.put("seconds", step.work().seconds());
              line.put("wait-seconds", step.work().waitSeconds());
              return LINE.toJson(line);
            })
        .toList();
  }
}
