package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.recipe.ModelCheck;

/** Checks the outputs of a model. */
final class Finite {
  private Finite() {}

  /** Requires that all outputs, (B, N), are finite. */
  static void require(String modelUrl, float[][] outputsBN) {
    int notFinite = 0;
    for (float[] row : outputsBN) {
      notFinite += Outputs.areFinite(row) ? 0 : 1;
    }
    ModelCheck.requireFinite(format("'%s'", modelUrl), notFinite, outputsBN.length);
  }
}
