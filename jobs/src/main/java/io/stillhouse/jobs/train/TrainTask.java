package io.stillhouse.jobs.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.GsonBuilder;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.CacheReader;
import io.stillhouse.jobs.cache.Storage;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Encoder;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.train.HeldOut;
import io.stillhouse.train.StepReport;
import io.stillhouse.train.StudentInit;
import io.stillhouse.train.Trainer;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import org.apache.commons.io.FileUtils;
import org.jspecify.annotations.Nullable;

/** Trains one student, inside a task, and publishes its Hugging Face directory. */
public final class TrainTask {
  /**
   * Dropout draws from libtorch's one generator, so a training with dropout has the process to
   * itself.
   */
  private static final ReentrantReadWriteLock GENERATOR = new ReentrantReadWriteLock();

  /** A step may wait for a whole file, or for nothing: one alone says little. */
  private static final int LOOKED_BACK = 20;

  private final StudentRun run;
  private final Consumer<StepReport> listener;
  private final Storage storage = Storage.ofThisProcess();
  private final List<StepReport> steps = new ArrayList<>();

  TrainTask(StudentRun run, Consumer<StepReport> listener) {
    this.run = run;
    this.listener = listener;
  }

  /** What became of a student; also {@code training.json} in its directory. */
  public record Trained(
      String name,
      String directory,
      String fingerprint,
      long parameters,
      long steps,
      Losses losses,
      Speed speed)
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
          .heldOut()
          .forEach((term, value) -> line.append(", held-out %s %.4f".formatted(term, value)));
      return line.toString();
    }
  }

  /**
   * Mean of each term over the first and the last tenth of the steps, and over all held-out rows,
   * if there are any, with the loss that these add up to.
   */
  public record Losses(
      Map<String, Double> first, Map<String, Double> last, Map<String, Double> heldOut)
      implements Serializable {}

  /**
   * Wall time of this process's steps, their tokens a second, the share of time spent waiting for
   * data, and threads.
   */
  public record Speed(double seconds, double tokensPerSecond, double waitShare, int threads)
      implements Serializable {}

  Trained train() throws IOException {
    Lock generator =
        StudentRun.dropsOut(run.model()) ? GENERATOR.writeLock() : GENERATOR.readLock();
    generator.lock();
    try (NDManager manager = NDManager.newBaseManager()) {
      ModelSpec teacher = teacher().spec();
      Map<String, NDArray> weights = initial(manager);
      weights.putAll(
          StudentInit.projections(
              manager,
              run.loss(),
              run.model().hiddenSize(),
              teacher.hiddenSize(),
              run.train().run().seed()));
      Reads reads = reads(teacher, run.places().cache());
      Trainer.Setup setup =
          new Trainer.Setup(run.model(), run.loss(), run.train(), run.fingerprint());
      CacheReader source = source(run.places().cache(), reads);
      requireSameCache(source);
      Trainer trainer =
          new Trainer(
              setup,
              source,
              new HadoopCheckpoints(storage, run.checkpoints(), steps),
              this::record);
      trainer.run(manager, weights, teacherParts(manager, reads));
      return publish(weights, heldOut(manager, setup, weights, teacher));
    } finally {
      generator.unlock();
    }
  }

  private Reads reads(ModelSpec teacher, String cache) throws IOException {
    return Reads.of(run.loss(), teacher, run.places().kept(), source(cache, null)::has);
  }

  private CacheReader source(String cache, @Nullable Reads reads) throws IOException {
    return CacheReader.open(
        storage,
        new org.apache.hadoop.fs.Path(cache),
        run.places().teacher(),
        reads == null ? List.of() : reads.columns());
  }

  /** Returns the terms over held-out rows by name, and the loss that they add up to. */
  private Map<String, Double> heldOut(
      NDManager manager, Trainer.Setup setup, Map<String, NDArray> weights, ModelSpec teacher)
      throws IOException {
    String cache = run.places().heldOut();
    if (cache == null) {
      return Map.of();
    }
    Reads reads = reads(teacher, cache);
    Map<Term, Double> terms =
        new HeldOut(setup, source(cache, reads))
            .terms(manager, weights, teacherParts(manager, reads));
    DistillLoss loss = new DistillLoss(run.loss(), new Encoder(run.model(), weights), weights);
    Map<String, Double> named = new LinkedHashMap<>();
    named.put("loss", 0.0);
    terms.forEach(
        (term, value) -> {
          named.put(term.id(), value);
          named.merge("loss", loss.weight(term) * value, Double::sum);
        });
    return named;
  }

  /** A retry must not go on with more rows than the training began with. */
  private void requireSameCache(CacheReader source) {
    if (!source.plan().fingerprints().equals(run.places().cacheFingerprints())) {
      throw Errors.invalid(
          "cache '%s' has grown since the training of '%s' began"
              .formatted(run.places().cache(), run.name()),
          "delete its checkpoints '%s' and run train again".formatted(run.checkpoints()));
    }
  }

  /** The file of all steps has each one's own time; who looks on sees the last ones' together. */
  private void record(StepReport step) {
    steps.add(step);
    listener.accept(
        step.over(steps.subList(Math.max(0, steps.size() - LOOKED_BACK), steps.size())));
  }

  private HuggingFaceDirectory teacher() throws IOException {
    return CacheReader.teacher(
        storage, new org.apache.hadoop.fs.Path(run.places().cache()), run.places().teacher());
  }

  private Map<String, NDArray> initial(NDManager manager) throws IOException {
    long seed = run.train().run().seed();
    if (run.start().directory() == null) {
      return StudentInit.random(manager, run.model(), seed);
    }
    HuggingFaceDirectory from = HuggingFaceDirectory.open(Models.copy(run.start().directory()));
    return StudentInit.from(manager, run.model(), from, run.start().blocks(), seed);
  }

  /** Returns the teacher with the weights that rebuild targets, of which no others are read. */
  private TeacherParts teacherParts(NDManager manager, Reads reads) throws IOException {
    if (reads.teacherTensors().isEmpty()) {
      return new TeacherParts(null, run.places().kept().mlm());
    }
    HuggingFaceDirectory teacher = teacher();
    return new TeacherParts(
        new Encoder(teacher.spec(), teacher.weights(manager, reads.teacherTensors())),
        run.places().kept().mlm());
  }

  private Trained publish(Map<String, NDArray> weights, Map<String, Double> heldOut)
      throws IOException {
    Map<String, NDArray> own = new LinkedHashMap<>();
    run.model().parameters().keySet().forEach(name -> own.put(name, weights.get(name)));
    Trained trained =
        new Trained(
            run.name(),
            run.directory().toString(),
            run.fingerprint(),
            run.model().parameterCount(),
            steps.isEmpty() ? 0 : steps.get(steps.size() - 1).steps(),
            new Losses(mean(0, tenth()), mean(steps.size() - tenth(), steps.size()), heldOut),
            speed());
    Path local = Files.createTempDirectory("stillhouse-student");
    try {
      HuggingFaceDirectory.write(local, run.model(), own, teacher().path());
      Files.writeString(local.resolve("training.json"), Storage.JSON.toJson(trained) + "\n");
      Files.write(local.resolve("metrics.jsonl"), metrics());
      if (!storage.exists(run.directory())) {
        storage.publish(local, run.directory());
      }
      storage.fileSystem(run.checkpoints()).delete(run.checkpoints(), true);
    } finally {
      FileUtils.deleteDirectory(local.toFile());
    }
    return trained;
  }

  private int tenth() {
    return Math.min(steps.size(), Math.max(1, steps.size() / 10));
  }

  private Map<String, Double> mean(int from, int to) {
    Map<String, Double> sums = new LinkedHashMap<>();
    for (StepReport step : steps.subList(from, to)) {
      step.terms()
          .forEach(
              (Term term, Double value) -> sums.merge(term.id(), value / (to - from), Double::sum));
    }
    return sums;
  }

  private Speed speed() {
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
    var json = new GsonBuilder().serializeSpecialFloatingPointValues().create();
    return steps.stream()
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
              return json.toJson(line);
            })
        .toList();
  }
}
