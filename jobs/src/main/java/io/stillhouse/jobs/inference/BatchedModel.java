package io.stillhouse.jobs.inference;

import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Pairing;
import io.stillhouse.text.Tokenizer;
import io.stillhouse.train.MicroBatches;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Splits rows into batches, and puts the results of a forward pass into the rows' order. */
final class BatchedModel implements InferenceModel {
  private final ModelSpec spec;
  private final Tokenizer tokenizer;
  private final BatchForward forward;
  private final int batchTokens;

  /**
   * @param batchTokens maximum number of tokens of a batch, including padding
   */
  BatchedModel(ModelSpec spec, Tokenizer tokenizer, BatchForward forward, int batchTokens) {
    this.spec = spec;
    this.tokenizer = tokenizer;
    this.forward = forward;
    this.batchTokens = batchTokens;
  }

  @Override
  public ModelSpec spec() {
    return spec;
  }

  @Override
  public Tokenizer tokenizer() {
    return tokenizer;
  }

  @Override
  public float[][] logits(List<Pairing.Input> rows) {
    return inBatches(rows, forward::logits);
  }

  @Override
  public float[][] embeddings(List<Pairing.Input> rows, Pooling pooling) {
    return inBatches(rows, batch -> forward.embeddings(batch, pooling));
  }

  private float[][] inBatches(
      List<Pairing.Input> rows, Function<List<Pairing.Input>, float[][]> compute) {
    float[][] results = new float[rows.size()][];
    List<Integer> numbers = IntStream.range(0, rows.size()).boxed().toList();
    for (List<Integer> batch :
        MicroBatches.split(
            numbers,
            row -> rows.get(row).ids().length,
            batchTokens,
            MicroBatches.Phase.INFERENCE)) {
      float[][] computed = compute.apply(batch.stream().map(rows::get).toList());
      for (int n = 0; n < computed.length; n++) {
        results[batch.get(n)] = computed[n];
      }
    }
    return results;
  }
}
