package io.stillhouse.spark;

import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.Pooling;
import io.stillhouse.text.Pairing;
import java.util.Arrays;
import java.util.List;
import scala.collection.mutable.WrappedArray;

/**
 * The embedding of a text.
 *
 * @param modelUrl the model's name in messages
 * @param normalize whether embeddings have Euclidean length 1
 */
record EmbeddingOutput(String modelUrl, Pooling pooling, boolean normalize) implements TextOutput {
  @Override
  public List<Object> of(InferenceModel model, List<Pairing.Input> rows) {
    float[][] vectorsBH = model.embeddings(rows, pooling);
    Finite.require(modelUrl, vectorsBH);
    if (normalize) {
      Arrays.stream(vectorsBH).forEach(Pooling::normalize);
    }
    return Arrays.stream(vectorsBH).<Object>map(WrappedArray::make).toList();
  }
}
