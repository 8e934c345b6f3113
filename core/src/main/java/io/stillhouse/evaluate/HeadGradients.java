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
 * Computes how much each attention head affects the loss of each row: the gradients with respect to
 * the mask variables of Michel et al. 2019 (arXiv:1905.10650, section 4.1). The variables multiply
 * the heads' outputs and are 1.
 */
public final class HeadGradients {
  private HeadGradients() {}

  /**
   * Returns {@code dL/dxi} for every row. Each row has its own variables, so one backward pass from
   * the sum of the losses computes all gradients.
   *
   * @param manager parent of temporary managers; owns no new arrays afterwards
   * @param encoder the model; its weights need not require gradients
   * @param rows rows with labels; for a masked LM, each must have masked tokens
   * @return gradients by row, block and head; if blocks share one set of weights, there is one
   *     block, and a head's variable is shared by all of its passes
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
      EncoderOutput output = encoder.forward(targets.batch(), Capture.NONE, Dropout.NONE, ofPasses);
      Autograd.backward(LabelLoss.sumOverRows(encoder, output, targets));
      for (int block = 0; block < blocks; block++) {
        try (NDArray blockGradients =
            Objects.requireNonNull(Autograd.gradient(factorsBH.get(block)))) {
          float[] flat = blockGradients.toFloatArray();
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
