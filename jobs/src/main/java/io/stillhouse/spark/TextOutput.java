package io.stillhouse.spark;

import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.text.Pairing;
import java.io.Serializable;
import java.util.List;

/** Computes the values of an output column on an executor. */
interface TextOutput extends Serializable {
  /**
   * Returns one value for each row of tokens, of the type that Spark's Row has for the column.
   *
   * @throws io.stillhouse.error.StillhouseException if an output of the model is not finite
   */
  List<Object> of(InferenceModel model, List<Pairing.Input> rows);
}
