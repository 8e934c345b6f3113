package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.loss.Counts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.TargetBatch;
import io.stillhouse.loss.TeacherParts;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Autograd;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Dropout;
import io.stillhouse.model.Encoder;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** A student's loss over rows that it was not trained on. */
public final class HeldOut {
  private final Trainer.Setup setup;
  private final TargetSource source;

  public HeldOut(Trainer.Setup setup, TargetSource source) {
    this.setup = setup;
    this.source = source;
  }

  /**
   * Returns each term's mean over all rows, without dropout and before its weight.
   *
   * @param manager owns nothing afterwards
   * @param weights every tensor of the student and its projections
   * @param teacher rebuilds the targets that are not stored
   */
  public Map<Term, Double> terms(
      NDManager manager, Map<String, NDArray> weights, TeacherParts teacher) throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    Encoder student = new Encoder(setup.student(), weights);
    DistillLoss loss = new DistillLoss(setup.loss(), student, weights);
    Capture capture = Capture.of(setup.loss().studentHidden(), setup.loss().studentBlocks());
    int units = source.unitRows().size();
    Counts whole = Counts.of(List.of());
    for (int unit = 0; unit < units; unit++) {
      whole = whole.plus(Counts.of(source.read(unit)));
    }
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
          EncoderOutput output = student.forward(targets.batch(), capture, Dropout.NONE);
          loss.of(output, targets, whole)
              .terms()
              .forEach((term, share) -> terms.merge(term, share, Double::sum));
        }
      }
    }
    return terms;
  }
}
