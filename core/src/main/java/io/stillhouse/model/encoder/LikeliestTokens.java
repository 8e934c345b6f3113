package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.torch.Autograd;
import java.util.Arrays;

/** Finds the tokens to which a masked LM gives the highest probability at one position of a row. */
public final class LikeliestTokens {
  private final InferenceEncoder encoder;
  private final float[] barred;
  private final int most;

  /**
   * @param encoder an encoder with a masked-LM head
   * @param allowed whether each id may be returned; ids beyond the end of the array may not
   * @param most the largest number of tokens to return for a row
   */
  public LikeliestTokens(InferenceEncoder encoder, boolean[] allowed, int most) {
    int vocabulary = encoder.encoder().spec().embeddings().vocabSize();
    this.encoder = encoder;
    this.barred = new float[vocabulary];
    int count = 0;
    for (int id = 0; id < vocabulary; id++) {
      boolean may = id < allowed.length && allowed[id];
      barred[id] = may ? 0 : Float.NEGATIVE_INFINITY;
      count += may ? 1 : 0;
    }
    this.most = Math.min(most, count);
  }

  /**
   * Returns the most probable allowed ids of each row, the most probable first.
   *
   * @param positions position of [MASK] in each row
   */
  public int[][] of(Batch batch, int[] positions) {
    try (NDManager scope = batch.idsBL().getManager().newSubManager()) {
      EncoderOutput output = encoder.forward(batch, Capture.NOTHING);
      NDArray lastBLD = output.last();
      lastBLD.tempAttach(scope);
      long[] tokens = new long[positions.length];
      for (int row = 0; row < tokens.length; row++) {
        tokens[row] = (long) row * batch.longest() + positions[row];
      }
      NDArray tokensB = scope.create(tokens);
      NDArray stateBD =
          Autograd.rows(lastBLD.reshape(-1, encoder.encoder().spec().hiddenSize()), tokensB);
      NDArray logitsBV = encoder.encoder().maskedLmLogits(stateBD).add(scope.create(barred));
      long[] ids = logitsBV.topK(most, 1, true, true).get(1).toLongArray();
      int[][] likeliest = new int[positions.length][];
      for (int row = 0; row < likeliest.length; row++) {
        likeliest[row] =
            Arrays.stream(ids, row * most, (row + 1) * most).mapToInt(id -> (int) id).toArray();
      }
      return likeliest;
    }
  }
}
