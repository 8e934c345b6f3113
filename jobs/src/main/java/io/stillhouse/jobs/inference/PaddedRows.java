package io.stillhouse.jobs.inference;

import io.stillhouse.text.Pairing;
import java.util.List;

/**
 * A batch as exported graphs read it: int64 in row-major order, padded to the longest row with 0.
 *
 * @param idsBL token ids
 * @param maskBL 1 at real tokens, 0 at padding
 * @param typesBL segment ids
 * @param rows number of rows
 * @param longest padded length
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record PaddedRows(long[] idsBL, long[] maskBL, long[] typesBL, int rows, int longest) {
  static PaddedRows of(List<Pairing.Input> batch) {
    int longest = batch.stream().mapToInt(row -> row.ids().length).max().orElse(0);
    int size = batch.size() * longest;
    PaddedRows padded =
        new PaddedRows(new long[size], new long[size], new long[size], batch.size(), longest);
    for (int row = 0; row < batch.size(); row++) {
      int[] ids = batch.get(row).ids();
      int[] types = batch.get(row).tokenTypes();
      for (int t = 0; t < ids.length; t++) {
        int at = row * longest + t;
        padded.idsBL[at] = ids[t];
        padded.maskBL[at] = 1;
        padded.typesBL[at] = types[t];
      }
    }
    return padded;
  }

  long[] shape() {
    return new long[] {rows, longest};
  }

  /**
   * Pools hidden states.
   *
   * @param hiddenBLH in row-major order
   * @return (B, H)
   */
  float[][] pooled(float[] hiddenBLH, Pooling pooling) {
    int width = hiddenBLH.length / (rows * longest);
    float[][] vectors = new float[rows][width];
    for (int row = 0; row < rows; row++) {
      int tokens = pooling == Pooling.CLS ? 1 : tokens(row);
      double[] sums = new double[width];
      for (int t = 0; t < tokens; t++) {
        int start = (row * longest + t) * width;
        for (int n = 0; n < width; n++) {
          sums[n] += hiddenBLH[start + n];
        }
      }
      for (int n = 0; n < width; n++) {
        vectors[row][n] = (float) (sums[n] / tokens);
      }
    }
    return vectors;
  }

  private int tokens(int row) {
    int tokens = 0;
    for (int t = 0; t < longest; t++) {
      tokens += (int) maskBL[row * longest + t];
    }
    return tokens;
  }
}
