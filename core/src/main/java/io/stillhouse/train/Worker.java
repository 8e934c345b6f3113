package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.config.Options;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Takes AdamW steps with one student. A step depends only on the weights, the moments, the rows and
 * the seed. Several workers may run in one process on different threads.
 */
final class Worker implements AutoCloseable {
  private final NDManager manager;
  private final Trainer.Setup setup;
  private final Map<String, NDArray> weights;
  private final Trainable student;
  private final DistillLoss loss;
  private final TeacherParts teacher;
  private final Capture capture;
  private final AdamW adamW;

  /**
   * @param manager owns the optimizer's moments, which are 0 at first
   * @param weights trained in place: every tensor of the student and its projections
   * @param teacher computes the targets that are not stored
   */
  Worker(
      NDManager manager, Trainer.Setup setup, Map<String, NDArray> weights, TeacherParts teacher) {
    this.manager = manager;
    this.setup = setup;
    this.weights = weights;
    this.teacher = teacher;
    Autograd.threads(setup.train().run().threads());
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    Predictor model = ModelFactory.predictor(setup.student(), weights);
    Map<Integer, NDArray> projections = new TreeMap<>();
    for (int layer : setup.loss().studentHidden()) {
      NDArray projection = weights.get(setup.loss().projection(layer));
      if (projection != null) {
        projections.put(layer, projection);
      }
    }
    Precision precision = setup.train().run().precision();
    if (!manager.getDevice().isGpu()) {
      precision.requireProcessor(Options.TRAIN_PRECISION.key());
    }
    this.student = ModelFactory.trainable(model, projections, precision, manager);
    this.loss = // hidden states are already projected
        new DistillLoss(setup.loss(), setup.teachers(), model, Map.of());
    this.capture = Capture.of(setup.loss());
    this.adamW = new AdamW(manager, weights, setup.train().optimizer());
  }

  /**
   * The losses of a step and the gradient norm. If the norm is not finite, the weights were not
   * updated.
   */
  record Outcome(double loss, Map<Term, Double> terms, double gradientNorm) {}

  /**
   * Takes one step.
   *
   * @param rows the rows of the step
   * @param batch the number of the batch in the run, from 0; seeds dropout
   * @param adamStep number of updates of the moments, including this one
   * @param learningRate learning rate of this step
   */
  Outcome step(List<Example> rows, long batch, long adamStep, double learningRate) {
    Counts stepCounts = Counts.of(rows);
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    long key = RowOrder.mix(setup.train().run().seed(), ~batch);
    int part = 0;
    student.refresh();
    try {
      for (List<Example> some :
          MicroBatches.split(
              rows,
              Example::length,
              setup.train().microBatchTokens(),
              MicroBatches.Phase.TRAINING)) {
        Autograd.record(Autograd.Mode.OFF);
        Dropout dropout = Dropout.of(RowOrder.mix(key, part++));
        try (NDManager scope = manager.newSubManager()) {
          TargetBatch targets = new TargetBatch(scope, some, teacher);
          try (Trainable.Pass pass = student.forward(targets.batch(), capture, dropout)) {
            DistillLoss.Value value = loss.of(pass.output(), targets, stepCounts);
            value.terms().forEach((term, share) -> terms.merge(term, share, Double::sum));
            if (value.total() != null) {
              Autograd.backward(value.total());
              pass.backward();
            }
          }
        }
      }
    } finally {
      Autograd.record(Autograd.Mode.OFF);
    }
    HeadPruning.zeroGradients(setup.student(), setup.pruned(), weights);
    double norm = adamW.step(adamStep, learningRate);
    double total = 0;
    for (Map.Entry<Term, Double> term : terms.entrySet()) {
      total += loss.weight(term.getKey()) * term.getValue();
    }
    return new Outcome(total, terms, norm);
  }

  /** Returns the optimizer's moments by name. */
  Map<String, NDArray> moments() {
    return adamW.state();
  }

  @Override
  public void close() {
    student.close();
    adamW.close();
  }
}
