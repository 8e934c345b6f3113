package io.stillhouse.text;

import static io.stillhouse.error.Text.format;

import java.util.Arrays;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * BERT's masking for masked-LM training (Devlin et al. 2019, arXiv:1810.04805, section 3.1).
 *
 * <p>Of the {@code n} tokens that are not special, {@code max(1, round(probability * n))} are
 * chosen without replacement. A chosen token becomes [MASK] with probability 0.8 and a random token
 * that is not special with probability 0.1, and is unchanged with probability 0.1. (Hugging Face's
 * collator draws each token independently instead, so a row may have no masked token.) The choice
 * depends only on the seed, the row's key and the variant, not on the machine or the order of the
 * rows.
 */
public final class Masking {
  /** The label of positions at which nothing is predicted, as in PyTorch's cross-entropy. */
  public static final int IGNORED = -100;

  private static final double MASK_SHARE = 0.8;
  private static final double RANDOM_SHARE = 0.1;

  /** A masked row. The arrays have equal length and must not be modified. */
  public static final class Masked {
    private final int[] ids;
    private final int[] labels;

    private Masked(int[] ids, int[] labels) {
      this.ids = ids;
      this.labels = labels;
    }

    /** Returns the ids that the encoder reads. */
    public int[] ids() {
      return ids;
    }

    /** Returns the original ids at the chosen positions, {@link #IGNORED} elsewhere. */
    public int[] labels() {
      return labels;
    }
  }

  private final double probability;
  private final long seed;
  private final int maskId;
  private final boolean[] special;
  private final int[] ordinaryIds;

  /**
   * Creates a masking.
   *
   * @param probability the share of tokens to choose, in (0, 1]
   * @param seed the run's seed
   * @param vocabSize the number of ids
   * @param maskId the id of [MASK]
   * @param specialIds ids that are neither chosen nor used as random replacements: [PAD], [CLS],
   *     [SEP], [MASK] and [UNK]
   */
  public Masking(
      double probability, long seed, int vocabSize, int maskId, Set<Integer> specialIds) {
    if (!(probability > 0 && probability <= 1)) {
      throw new IllegalArgumentException("probability must be in (0, 1], but is " + probability);
    }
    this.probability = probability;
    this.seed = seed;
    this.maskId = maskId;
    this.special = new boolean[vocabSize];
    for (int id : specialIds) {
      special[id] = true;
    }
    int[] ordinary = new int[vocabSize];
    int count = 0;
    for (int id = 0; id < vocabSize; id++) {
      if (!special[id]) {
        ordinary[count++] = id;
      }
    }
    if (count == 0) {
      throw new IllegalArgumentException(format("all %d ids are special", vocabSize));
    }
    this.ordinaryIds = Arrays.copyOf(ordinary, count);
  }

  /**
   * Returns the masked row. A row of special tokens only is returned unchanged, without labels.
   *
   * @param ids the row's ids, special tokens included; not changed
   * @param rowKey the row's key
   * @param variant which of the row's maskings, from 0
   */
  public Masked mask(int[] ids, String rowKey, int variant) {
    int[] masked = ids.clone();
    int[] labels = new int[ids.length];
    Arrays.fill(labels, IGNORED);
    int[] positions = new int[ids.length];
    int candidates = 0;
    for (int position = 0; position < ids.length; position++) {
      if (!special[ids[position]]) {
        positions[candidates++] = position;
      }
    }
    if (candidates == 0) {
      return new Masked(masked, labels);
    }
    int chosen = (int) Math.max(1, Math.round(probability * candidates));
    SplittableRandom random = KeyedRandom.of(seed, rowKey, variant);
    for (int i = 0; i < chosen; i++) {
      int other = i + random.nextInt(candidates - i);
      int position = positions[other];
      positions[other] = positions[i];
      labels[position] = ids[position];
      double draw = random.nextDouble();
      if (draw < MASK_SHARE) {
        masked[position] = maskId;
      } else if (draw < MASK_SHARE + RANDOM_SHARE) {
        masked[position] = ordinaryIds[random.nextInt(ordinaryIds.length)];
      }
    }
    return new Masked(masked, labels);
  }
}
