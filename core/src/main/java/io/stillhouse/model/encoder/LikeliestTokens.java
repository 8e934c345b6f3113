package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.torch.Autograd;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Finds the tokens to which a masked LM gives the highest probability at one position of a row. */
public final class LikeliestTokens {
  private final InferenceEncoder encoder;
  private final float[] disallowedBias;
  private final int limit;

  /**
   * @param encoder an encoder with a masked-LM head
   * @param allowed whether each id may be returned; ids beyond the end of the array may not
   * @param limit the largest number of tokens to return for a row
   */
  public LikeliestTokens(InferenceEncoder encoder, boolean[] allowed, int limit) {
    int vocabulary = encoder.encoder().spec().embeddings().vocabSize();
    this.encoder = encoder;
    this.disallowedBias = new float[vocabulary];
    int count = 0;
    for (int id = 0; id < vocabulary; id++) {
      boolean may = id < allowed.length && allowed[id];
      disallowedBias[id] = may ? 0 : Float.NEGATIVE_INFINITY;
      count += may ? 1 : 0;
    }
    this.limit = Math.min(limit, count);
  }

  /**
   * Returns the most probable allowed ids of each row, the most probable first; null for a row with
   * a logit that is not finite.
   *
   * @param positions position of [MASK] in each row
   */
  public int[] @Nullable [] of(Batch batch, int[] positions) {
    try (NDManager scope = batch.idsBL().getManager().newSubManager()) {
      EncoderOutput output = encoder.forward(batch, Capture.NONE);
      NDArray lastBLD = output.last();
      lastBLD.tempAttach(scope);
      long[] tokens = new long[positions.length];
      for (int row = 0; row < tokens.length; row++) {
        tokens[row] = (long) row * batch.longest() + positions[row];
      }
      NDArray tokensB = scope.create(tokens);
      NDArray stateBD =
          Autograd.rows(lastBLD.reshape(-1, encoder.encoder().spec().hiddenSize()), tokensB);
      NDArray allBV = encoder.encoder().maskedLmLogits(stateBD);
      float[] sumsB = allBV.abs().sum(new int[] {1}).toFloatArray();
      NDArray logitsBV = allBV.add(scope.create(disallowedBias));
      long[] ids = logitsBV.topK(limit, 1, true, true).get(1).toLongArray();
      int[] @Nullable [] likeliest = new int[positions.length][];
      for (int row = 0; row < likeliest.length; row++) {
        likeliest[row] =
            Float.isFinite(sumsB[row])
                ? Arrays.stream(ids, row * limit, (row + 1) * limit)
                    .mapToInt(id -> (int) id)
                    .toArray()
                : null;
      }
      return likeliest;
    }
  }
}
