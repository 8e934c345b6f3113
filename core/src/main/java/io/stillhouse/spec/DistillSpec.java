package io.stillhouse.spec;

import static io.stillhouse.error.Text.format;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * The losses of a student: the weights of the terms and the teacher layers that they read. A term
 * with weight 0 is not computed.
 *
 * @param layerMap a teacher hidden state for each student hidden state 0..M
 * @param softLabel the loss on the teacher's logits
 * @param hard the loss on the data's own labels
 * @param hidden the losses on hidden states
 * @param attentionMse weight of the squared error of attention scores, over every mapped block
 * @param relations the losses on distributions over tokens
 */
public record DistillSpec(
    List<Integer> layerMap,
    SoftLabel softLabel,
    HardLabel hard,
    Hidden hidden,
    double attentionMse,
    Relations relations)
    implements Serializable {

  /** Creates a spec with equal weights of all classes in the loss on labels. */
  public DistillSpec(
      List<Integer> layerMap,
      SoftLabel softLabel,
      double hardLabel,
      Hidden hidden,
      double attentionMse,
      Relations relations) {
    this(layerMap, softLabel, new HardLabel(hardLabel, List.of()), hidden, attentionMse, relations);
  }

  /**
   * The loss on the data's own labels: cross-entropy, squared error, or masked-LM cross-entropy.
   *
   * @param weight the weight of the loss
   * @param classWeights the weights of the classes of a classification; empty if all are equal
   */
  public record HardLabel(double weight, List<Double> classWeights) implements Serializable {
    public HardLabel {
      classWeights = List.copyOf(classWeights);
    }
  }

  /** How teacher logits are compared. */
  public enum Kind {
    KL,
    MSE
  }

  /** Which tokens have the soft-label loss of a masked LM. */
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
   * {@code embeddingMse} on 0, {@code firstTokenMse} over 1..M-1.
   *
   * @param cosineLayers whether the cosine loss reads the last mapped layer only, as DistilBERT
   *     does
   * @param projection which states share the matrix that maps them to the teacher's width
   */
  public record Hidden(
      double cosine,
      CosineLayers cosineLayers,
      double mse,
      double embeddingMse,
      double firstTokenMse,
      Projection projection)
      implements Serializable {
    /** No losses on hidden states. */
    public static final Hidden NONE =
        new Hidden(0, CosineLayers.LAST, 0, 0, 0, Projection.PER_LAYER);
  }

  /** Which student hidden states have the cosine loss. */
  public enum CosineLayers {
    LAST,
    ALL
  }

  /** Which student hidden states share a projection. */
  public enum Projection {
    /** Each state has its own. */
    PER_LAYER,
    /**
     * One for the embedding output and one for all other states: W_e and W_h of the TinyBERT paper.
     */
    SHARED,
    /** One for all states, as in TinyBERT's released code. */
    SINGLE
  }

  /**
   * The losses on distributions over the tokens of a row (MiniLM, MiniLMv2).
   *
   * @param attention weight of the divergence between attention distributions
   * @param query weight of the divergence between query relations; likewise {@code key} and {@code
   *     value}
   * @param heads the number of heads that queries, keys and values are divided into for relations
   * @param blocks which of the mapped blocks are read
   */
  public record Relations(
      double attention, double query, double key, double value, int heads, Blocks blocks)
      implements Serializable {
    /** No losses on distributions over tokens. */
    public static final Relations NONE = new Relations(0, 0, 0, 0, 0, Blocks.LAST);

    /** Returns the weight of the relations of queries, keys or values. */
    public double weight(AttentionPart part) {
      return switch (part) {
        case QUERY -> query;
        case KEY -> key;
        case VALUE -> value;
      };
    }
  }

  /** Which student blocks have losses on distributions over tokens. */
  public enum Blocks {
    LAST,
    ALL
  }

  public DistillSpec {
    layerMap = List.copyOf(layerMap);
  }

  /** Returns the baseline that learns from the data's labels alone. */
  public DistillSpec baseline() {
    return new DistillSpec(
        layerMap,
        new SoftLabel(0, softLabel.kind(), softLabel.temperature(), softLabel.positions()),
        new HardLabel(1, hard.classWeights()),
        Hidden.NONE,
        0,
        Relations.NONE);
  }

  /** Returns a copy with other weights of the classes. */
  public DistillSpec withClassWeights(List<Double> weights) {
    return new DistillSpec(
        layerMap,
        softLabel,
        new HardLabel(hard.weight(), weights),
        hidden,
        attentionMse,
        relations);
  }

  /** Returns the weight of the loss on the data's own labels. */
  public double hardLabel() {
    return hard.weight();
  }

  /** Returns whether some term reads the head's logits. */
  public boolean trainsHead() {
    return softLabel.weight() != 0 || hard.weight() != 0;
  }

  /** Returns whether some term reads hidden states, scores or relations. */
  public boolean readsLayers() {
    return !studentHidden().isEmpty() || !scoreBlocks().isEmpty() || !relationBlocks().isEmpty();
  }

  /** Returns the student hidden states that some term reads, in order. */
  public List<Integer> studentHidden() {
    return IntStream.rangeClosed(0, depth()).filter(this::readsHidden).boxed().toList();
  }

  /** Returns the student blocks whose scores are read, in order. */
  public List<Integer> scoreBlocks() {
    return blocks(block -> attentionMse != 0 || readsAttention(block));
  }

  /** Returns the student blocks whose query, key or value relations are read, in order. */
  public List<Integer> relationBlocks() {
    return blocks(block -> !relationParts().isEmpty() && readsRelations(block));
  }

  /** Returns the vectors whose relations are read. */
  public List<AttentionPart> relationParts() {
    return Arrays.stream(AttentionPart.values())
        .filter(part -> relations.weight(part) != 0)
        .toList();
  }

  /** Returns whether student hidden state {@code layer} has the cosine loss. */
  public boolean readsCosine(int layer) {
    boolean last = layer == depth();
    return hidden.cosine() != 0 && layer > 0 && (last || hidden.cosineLayers() == CosineLayers.ALL);
  }

  /** Returns whether student hidden state {@code layer} has the loss on first tokens. */
  public boolean readsFirstToken(int layer) {
    return hidden.firstTokenMse() != 0 && layer > 0 && layer < depth();
  }

  /** Returns whether student hidden state {@code layer} has the squared error of all tokens. */
  public boolean readsSquaredError(int layer) {
    return (layer == 0 ? hidden.embeddingMse() : hidden.mse()) != 0;
  }

  /** Returns whether student block {@code block} has the attention divergence. */
  public boolean readsAttention(int block) {
    return relations.attention() != 0 && readsRelations(block);
  }

  /** Returns the name of the projection of student hidden state {@code layer}. */
  public String projection(int layer) {
    return switch (hidden.projection()) {
      case PER_LAYER -> format("projection.%02d.weight", layer);
      case SHARED -> layer == 0 ? "projection.embedding.weight" : "projection.hidden.weight";
      case SINGLE -> "projection.weight";
    };
  }

  private boolean readsHidden(int layer) {
    return readsSquaredError(layer) || readsCosine(layer) || readsFirstToken(layer);
  }

  private boolean readsRelations(int block) {
    return block == depth() || relations.blocks() == Blocks.ALL;
  }

  private List<Integer> blocks(IntPredicate read) {
    return IntStream.rangeClosed(1, depth()).filter(read).boxed().toList();
  }

  private int depth() {
    return layerMap.size() - 1;
  }
}
