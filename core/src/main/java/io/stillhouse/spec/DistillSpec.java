package io.stillhouse.spec;

import java.io.Serializable;
import java.util.List;

/**
 * What a student learns from: the weights of the loss terms and the teacher layers they read. A
 * weight of 0 leaves a term out.
 *
 * @param layerMap a teacher hidden state for each student hidden state 0..M
 * @param softLabel the loss on the teacher's logits
 * @param hardLabel weight of the loss on the data's own labels (cross-entropy, squared error, or
 *     masked-LM cross-entropy)
 * @param hidden the losses on hidden states
 * @param attentionMse weight of the attention loss of every mapped block
 */
public record DistillSpec(
    List<Integer> layerMap,
    SoftLabel softLabel,
    double hardLabel,
    Hidden hidden,
    double attentionMse)
    implements Serializable {

  /** How teacher logits are compared. */
  public enum Kind {
    KL,
    MSE
  }

  /** Which tokens carry the soft-label loss of a masked LM. */
  public enum Positions {
    ALL,
    MASKED
  }

  /**
   * The loss on the teacher's logits; {@code temperature} applies to KL only, {@code positions} to
   * masked LM only.
   */
  public record SoftLabel(double weight, Kind kind, double temperature, Positions positions)
      implements Serializable {}

  /**
   * The losses on hidden states: {@code cosine} and {@code mse} over student hidden states 1..M,
   * {@code embeddingMse} on 0.
   *
   * @param cosineLayers whether the cosine loss reads the last mapped layer only, as DistilBERT
   *     does
   */
  public record Hidden(double cosine, CosineLayers cosineLayers, double mse, double embeddingMse)
      implements Serializable {}

  /** Which student hidden states carry the cosine loss. */
  public enum CosineLayers {
    LAST,
    ALL
  }

  public DistillSpec {
    layerMap = List.copyOf(layerMap);
  }

  /** Returns the twin that learns from the data's labels alone. */
  public DistillSpec undistilled() {
    return new DistillSpec(
        layerMap,
        new SoftLabel(0, softLabel.kind(), softLabel.temperature(), softLabel.positions()),
        1,
        new Hidden(0, hidden.cosineLayers(), 0, 0),
        0);
  }

  /** Returns the student hidden states that some term reads, in order. */
  public List<Integer> studentHidden() {
    int depth = layerMap.size() - 1;
    return java.util.stream.IntStream.rangeClosed(0, depth)
        .filter(this::readsHidden)
        .boxed()
        .toList();
  }

  /** Returns the student blocks whose scores are read, in order. */
  public List<Integer> studentBlocks() {
    return attentionMse == 0
        ? List.of()
        : java.util.stream.IntStream.range(1, layerMap.size()).boxed().toList();
  }

  /** Returns whether student hidden state {@code layer} carries the cosine loss. */
  public boolean readsCosine(int layer) {
    boolean last = layer == layerMap.size() - 1;
    return hidden.cosine() != 0 && layer > 0 && (last || hidden.cosineLayers() == CosineLayers.ALL);
  }

  private boolean readsHidden(int layer) {
    return layer == 0 ? hidden.embeddingMse() != 0 : hidden.mse() != 0 || readsCosine(layer);
  }
}
