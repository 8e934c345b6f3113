package io.stillhouse.export.int8;

/** How weights are prepared before they are rounded to int8. */
public enum Int8Variant {
  /** The largest absolute value of each row becomes the largest integer. */
  PLAIN,
  /** Each row has the scale with the smallest expected error, which may clip outliers. */
  CLIPPED,
  /**
   * Input channels with outliers are scaled down, and the weights that they are multiplied by are
   * scaled up (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438, section 4). BERT also adds the
   * output of LayerNorm to the output of a layer, so the factors are not folded into LayerNorm:
   * each layer multiplies its inputs by them.
   */
  SMOOTHED,
  /** Smoothed inputs, and clipped weights. */
  SMOOTHED_AND_CLIPPED;

  boolean clips() {
    return this == CLIPPED || this == SMOOTHED_AND_CLIPPED;
  }

  boolean smooths() {
    return this == SMOOTHED || this == SMOOTHED_AND_CLIPPED;
  }
}
