package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.loss.Counts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.TargetBatch;
import io.stillhouse.loss.TargetCells;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A student over rows that it was not trained on. */
public final class HeldOut {
  private final Trainer.Setup setup;
  private final TargetSource source;

  public HeldOut(Trainer.Setup setup, TargetSource source) {
    this.setup = setup;
    this.source = source;
  }

  /**
   * What a student does on rows that it was not trained on.
   *
   * @param terms each term's mean over all rows, without dropout and before its weight
   * @param accuracy how often its best guess is the label, in 0..1; null but for a classifier whose
   *     rows all have one
   * @param agreement how often its best guess is the teacher's, in 0..1; null but for a classifier
   *     whose rows all have the teacher's logits
   */
  public record Measured(
      Map<Term, Double> terms, @Nullable Double accuracy, @Nullable Double agreement) {}

  /**
   * Measures.
   *
   * @param manager owns nothing afterwards
   * @param weights every tensor of the student and its projections
   * @param teacher rebuilds the targets that are not stored
   */
  public Measured measure(NDManager manager, Map<String, NDArray> weights, TeacherParts teacher)
      throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    Autograd.threads(setup.train().run().threads());
    Predictor student = Predictor.of(setup.student(), weights);
    DistillLoss loss = new DistillLoss(setup.loss(), student, weights);
    Capture capture = Capture.of(setup.loss().studentHidden(), setup.loss().studentBlocks());
    int units = source.unitRows().size();
    Counts whole = Counts.of(List.of());
    for (int unit = 0; unit < units; unit++) {
      whole = whole.plus(Counts.of(source.read(unit)));
    }
    boolean classifies = setup.student().head().task() == Task.CLASSIFICATION;
    Hits labels = new Hits();
    Hits teachers = new Hits();
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    for (int unit = 0; unit < units; unit++) {
      List<Example> rows = source.read(unit);
      for (List<Example> part :
          MicroBatches.cut(
              rows,
              Example::length,
              setup.train().tokensPerMicroBatch(),
              MicroBatches.Phase.INFERENCE)) {
        try (NDManager scope = manager.newSubManager()) {
          TargetBatch targets = new TargetBatch(scope, part, teacher);
          EncoderOutput output = student.forward(targets.batch(), capture);
          loss.of(output, targets, whole)
              .terms()
              .forEach((term, share) -> terms.merge(term, share, Double::sum));
          if (classifies && output.logits() != null) {
            long[] guesses = output.logits().argMax(1).toLongArray();
            for (int row = 0; row < guesses.length; row++) {
              double label = part.get(row).inputs().label();
              labels.add(guesses[row], Double.isNaN(label) ? -1 : (long) label);
              teachers.add(guesses[row], teachersGuess(part.get(row)));
            }
          }
        }
      }
    }
    return new Measured(terms, labels.rate(), teachers.rate());
  }

  /** Returns the class of the largest logit, -1 where none were read. */
  private static long teachersGuess(Example row) {
    if (!row.has(Targets.LOGITS)) {
      return -1;
    }
    double[] logits = TargetCells.numbers(row, Targets.LOGITS);
    int best = 0;
    for (int c = 1; c < logits.length; c++) {
      best = logits[c] > logits[best] ? c : best;
    }
    return best;
  }

  /** Counts guesses that are right. */
  private static final class Hits {
    private long rows;
    private long right;
    private boolean known = true;

    void add(long guess, long truth) {
      rows++;
      right += guess == truth ? 1 : 0;
      known &= truth >= 0;
    }

    @Nullable Double rate() {
      return known && rows > 0 ? (Double) ((double) right / rows) : null;
    }
  }
}
