package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.error.Errors;
import io.stillhouse.loss.Counts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.TargetBatch;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One worker: plain AdamW over the cached targets, its state carried from checkpoint to checkpoint.
 *
 * <p>Each step is a function of the seed, the step and the weights, so a run that stops and resumes
 * ends in the same bits as one that does not. Dropout draws from libtorch's generator, which is one
 * per process: no other training may run beside this one.
 */
public final class Trainer {
  /** Checkpoint metadata: steps done. */
  private static final String STEP = "step";

  /** Checkpoint metadata: what the run is of; a checkpoint of another run is refused. */
  private static final String RUN = "run";

  private static final String PARAMETER = "parameter.";
  private static final String MOMENT = "moment.";
  private static final int MAX_BAD_STEPS = 5;

  private final Setup setup;
  private final TargetSource source;
  private final CheckpointStore checkpoints;
  private final Consumer<StepReport> listener;

  /**
   * What is trained, and how.
   *
   * @param fingerprint names the recipe and the cache; a checkpoint with another fingerprint is
   *     refused
   */
  public record Setup(ModelSpec student, DistillSpec loss, TrainSpec train, String fingerprint) {}

  public Trainer(
      Setup setup,
      TargetSource source,
      CheckpointStore checkpoints,
      Consumer<StepReport> listener) {
    this.setup = setup;
    this.source = source;
    this.checkpoints = checkpoints;
    this.listener = listener;
  }

  /**
   * Trains {@code weights} in place to the last step, from the newest checkpoint if there is one.
   *
   * @param manager owns the optimiser's state while it runs
   * @param weights the initial student: every tensor of its spec, and a projection for each mapped
   *     state whose width differs
   * @param teacher rebuilds the targets that are not stored
   */
  public void run(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    TrainSpec train = setup.train();
    Autograd.threads(train.run().threads());
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    DistillLoss loss =
        new DistillLoss(setup.loss(), new Encoder(setup.student(), weights), weights);
    RowOrder order = new RowOrder(source.unitRows(), train.rowsPerStep(), train.run().seed());
    Feed feed = new Feed(source, order);
    long steps = train.steps(order.rows());
    Encoder student = new Encoder(setup.student(), weights);
    int badSteps = 0;
    try (AdamW adamW = new AdamW(manager, weights, train.optimiser())) {
      for (long step = resume(manager, weights, adamW); step < steps; step++) {
        long start = System.nanoTime();
        List<Example> rows = feed.step(step);
        long read = System.nanoTime();
        Autograd.seed(RowOrder.mix(train.run().seed(), ~step));
        Map<Term, Double> terms = accumulate(manager, student, loss, rows, teacher);
        double rate = train.learningRate(step, steps);
        double norm = adamW.step(step + 1, rate);
        badSteps = Double.isFinite(norm) ? 0 : badSteps + 1;
        if (badSteps == MAX_BAD_STEPS) {
          throw Errors.invalid(
              "the gradients of %d steps in a row, up to step %d, were not finite (terms %s)"
                  .formatted(badSteps, step + 1, terms),
              "lower train.learning-rate (%s), or set train.clip-norm"
                  .formatted(train.optimiser().learningRate()));
        }
        long end = System.nanoTime();
        listener.accept(
            new StepReport(
                step + 1,
                steps,
                weighted(loss, terms),
                terms,
                new StepReport.Optimiser(rate, norm),
                new StepReport.Work(
                    Counts.of(rows).tokens(), (end - start) / 1e9, (read - start) / 1e9)));
        int every = train.run().checkpointEvery();
        if (every > 0 && (step + 1) % every == 0 && step + 1 < steps) {
          checkpoint(step + 1, weights, adamW);
        }
      }
    } finally {
      Autograd.record(Autograd.Mode.OFF);
    }
  }

  private Map<Term, Double> accumulate(
      NDManager manager,
      Encoder student,
      DistillLoss loss,
      List<Example> rows,
      TeacherParts teacher) {
    Capture capture = Capture.of(setup.loss().studentHidden(), setup.loss().studentBlocks());
    Counts whole = Counts.of(rows);
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    Autograd.record(Autograd.Mode.ON);
    for (List<Example> part :
        MicroBatches.cut(
            rows, Example::length, setup.train().tokensPerMicroBatch(), Encoder.Phase.TRAINING)) {
      try (NDManager scope = manager.newSubManager()) {
        TargetBatch targets = new TargetBatch(scope, part, teacher);
        EncoderOutput output = student.forward(targets.batch(), capture, Encoder.Phase.TRAINING);
        DistillLoss.Value value = loss.of(output, targets, whole);
        value.terms().forEach((term, share) -> terms.merge(term, share, Double::sum));
        if (value.total() != null) {
          Autograd.backward(value.total());
        }
      }
    }
    return terms;
  }

  private static double weighted(DistillLoss loss, Map<Term, Double> terms) {
    double total = 0;
    for (Map.Entry<Term, Double> term : terms.entrySet()) {
      total += loss.weight(term.getKey()) * term.getValue();
    }
    return total;
  }

  private void checkpoint(long step, Map<String, NDArray> weights, AdamW adamW) throws IOException {
    Map<String, NDArray> state = new LinkedHashMap<>();
    weights.forEach((name, weight) -> state.put(PARAMETER + name, weight));
    adamW.state().forEach((name, moment) -> state.put(MOMENT + name, moment));
    Path file = Files.createTempFile("stillhouse-checkpoint", ".safetensors");
    try {
      SafeTensors.write(file, state, Map.of(STEP, Long.toString(step), RUN, setup.fingerprint()));
      checkpoints.publish(step, file);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** Loads the newest checkpoint, if any, and returns the steps done. */
  private long resume(NDManager manager, Map<String, NDArray> weights, AdamW adamW)
      throws IOException {
    Optional<Path> newest = checkpoints.newest();
    if (newest.isEmpty()) {
      return 0;
    }
    SafeTensors file = SafeTensors.open(newest.get());
    String run = file.metadata().getOrDefault(RUN, "");
    if (!run.equals(setup.fingerprint())) {
      throw Errors.invalid(
          "the newest checkpoint is of another recipe or cache (%s, not %s)"
              .formatted(run, setup.fingerprint()),
          "give the student another name, or delete its checkpoints");
    }
    Autograd.record(Autograd.Mode.OFF);
    weights.forEach((name, weight) -> restore(file, PARAMETER + name, weight, manager));
    adamW.state().forEach((name, moment) -> restore(file, MOMENT + name, moment, manager));
    return Long.parseLong(file.metadata().getOrDefault(STEP, "0"));
  }

  private static void restore(SafeTensors file, String name, NDArray into, NDManager manager) {
    try (NDArray saved = file.read(name, manager)) {
      saved.copyTo(into);
    }
  }
}
