package io.stillhouse.evaluate;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.loss.LabelLoss;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * How much each head matters to the loss of each row: the gradients of the mask variables of Michel
 * et al. 2019 (arXiv:1905.10650, section 4.1), which multiply what the heads give and are 1.
 */
public final class HeadGradients {
  private HeadGradients() {}

  /**
   * Returns {@code dL/dxi} of every row. Each row has variables of its own, so one pass backward
   * from the sum of the rows' losses gives all of them.
   *
   * @param manager owns nothing afterwards
   * @param encoder its weights need no gradients
   * @param rows with labels; of a masked LM each has masked tokens
   * @return by row, block and head; where blocks share one set of weights, a head has one variable
   *     for all passes, and there is one block
   */
  public static double[][][] of(NDManager manager, Encoder encoder, List<Example> rows) {
    int blocks = encoder.spec().distinctBlocks();
    int heads = encoder.spec().heads();
    double[][][] gradients = new double[rows.size()][blocks][heads];
    Autograd.record(Autograd.Mode.ON);
    try (NDManager scope = manager.newSubManager()) {
      List<NDArray> factorsBH = new ArrayList<>();
      for (int block = 0; block < blocks; block++) {
        NDArray ones = scope.ones(new Shape(rows.size(), heads));
        ones.setRequiresGradient(true);
        factorsBH.add(ones);
      }
      TargetBatch targets = new TargetBatch(scope, rows, TeacherParts.NONE);
      List<NDArray> ofPasses =
          blocks == 1 ? Collections.nCopies(encoder.spec().layers(), factorsBH.get(0)) : factorsBH;
      EncoderOutput output =
          encoder.forward(targets.batch(), Capture.NOTHING, Dropout.NONE, ofPasses);
      Autograd.backward(LabelLoss.sumOverRows(encoder, output, targets));
      for (int block = 0; block < blocks; block++) {
        try (NDArray own = Objects.requireNonNull(Autograd.gradient(factorsBH.get(block)))) {
          float[] flat = own.toFloatArray();
          for (int i = 0; i < flat.length; i++) {
            gradients[i / heads][block][i % heads] = flat[i];
          }
        }
      }
    } finally {
      Autograd.record(Autograd.Mode.OFF);
    }
    return gradients;
  }
}
