package io.stillhouse.model.encoder;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Trainable;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The pass of an {@link Encoder} forward and backward, with its derivatives written out. Linear
 * layers see real tokens alone, one after another; attention sees them padded. Gradients are added
 * where they are kept, the word table's only in the rows that were read; the recorded pass would
 * make a table of zeros for each batch, and add it up.
 *
 * <p>What losses read of a pass are leaves: their own backward pass ends there, and {@link
 * TrainingPass#backward} goes on.
 */
public final class TrainingEncoder implements Trainable {
  private static final String WORDS = "bert.embeddings.word_embeddings.weight";
  private static final String POSITIONS = "bert.embeddings.position_embeddings.weight";
  private static final String SEGMENTS = "bert.embeddings.token_type_embeddings.weight";
  private static final List<String> MAPPING =
      List.of(EncoderSpec.MAPPING + ".weight", EncoderSpec.MAPPING + ".bias");
  private static final String NORM = "bert.embeddings.LayerNorm";

  /** Of a block, in the order in which the code below counts them. */
  private static final List<String> LAYERS =
      List.of("attention.output.dense", "intermediate.dense", "output.dense");

  private static final List<String> NORMS =
      List.of("attention.output.LayerNorm", "output.LayerNorm");

  final Encoder encoder;
  final PtSymbolBlock ops;
  final IValue heads;
  final IValue eps;
  final List<Block> blocks = new ArrayList<>(); // one several times where weights are shared
  final Embeddings embeddings;
  final Map<Integer, Projection> projections = new TreeMap<>();
  private final List<Joined> joined = new ArrayList<>();
  private final List<NDArray> grads = new ArrayList<>();

  /** Copies of weights in one tensor, and the weights. */
  private record Joined(NDArray copy, IValue into, IValue parts) {
    void close() {
      into.close();
      parts.close();
      copy.close();
    }
  }

  /**
   * The tensors of one block as lists of libtorch's.
   *
   * @param weights query, key and value joined, then those of {@link #LAYERS}
   * @param biases in the same order
   * @param attention gradients of query, key and value, which a block has without the others where
   *     losses read its scores or relations, and nothing above them
   * @param gradients the others
   */
  record Block(
      IValue weights, IValue biases, IValue norms, Gradients attention, Gradients gradients) {
    void close() {
      weights.close();
      biases.close();
      norms.close();
      attention.close();
      gradients.close();
    }
  }

  /**
   * The tensors of the embeddings likewise.
   *
   * @param tables of words and positions, and of segments where there are any
   * @param mapping weight and bias of what makes hidden states of them, or nothing
   */
  record Embeddings(IValue tables, IValue norms, IValue mapping, Gradients gradients) {
    void close() {
      tables.close();
      norms.close();
      mapping.close();
      gradients.close();
    }
  }

  /** What makes a hidden state as wide as the teacher's. */
  record Projection(NDArray weightED, Gradients gradient) {}

  /**
   * Where gradients are kept: made when the first one comes, since the optimiser passes over
   * weights that no loss reads.
   */
  final class Gradients {
    private final List<List<NDArray>> of;
    private @Nullable List<IValue> kept;

    Gradients(List<List<NDArray>> of) {
      this.of = of;
    }

    /** Returns those of each list of weights. */
    List<IValue> kept() {
      List<IValue> now = kept;
      if (now == null) {
        now = of.stream().map(weights -> list(zeros(weights))).toList();
        kept = now;
      }
      return now;
    }

    private void close() {
      if (kept != null) {
        kept.forEach(IValue::close);
      }
    }
  }

  /**
   * Prepares the weights.
   *
   * @param encoder its weights require gradients, and are trained in place
   * @param projections by hidden state, (teacher width, student width), trained in place, too:
   *     losses read these states projected; where states have the same one, its gradients add up
   * @param precision of the products with weights; attention's stay float32
   * @param manager owns what this holds
   */
  public TrainingEncoder(
      Encoder encoder, Map<Integer, NDArray> projections, Precision precision, NDManager manager) {
    this.encoder = encoder;
    this.ops = TrainingOps.compile(manager, precision);
    this.heads = IValue.from((long) encoder.spec().heads());
    this.eps = IValue.from(encoder.spec().numerics().layerNormEps());
    EncoderSpec spec = encoder.spec();
    this.embeddings = embeddings(spec.architecture());
    for (int block = 1; block <= spec.layers(); block++) {
      blocks.add(block <= spec.distinctBlocks() ? block(spec.prefixOf(block)) : blocks.get(0));
    }
    Map<NDArray, Projection> own = new IdentityHashMap<>();
    projections.forEach(
        (layer, weight) ->
            this.projections.put(
                layer,
                own.computeIfAbsent(
                    weight, w -> new Projection(w, new Gradients(List.of(List.of(w)))))));
  }

  private Embeddings embeddings(Architecture architecture) {
    List<NDArray> tables =
        weights(
            architecture.hasSegments()
                ? List.of(WORDS, POSITIONS, SEGMENTS)
                : List.of(WORDS, POSITIONS));
    List<NDArray> norms = weights(List.of(NORM + ".weight", NORM + ".bias"));
    List<NDArray> mapping = architecture.mapsEmbeddings() ? weights(MAPPING) : List.of();
    return new Embeddings(
        list(tables), list(norms), list(mapping), new Gradients(List.of(tables, norms, mapping)));
  }

  private Block block(String prefix) {
    List<String> parts = new ArrayList<>();
    for (String part : List.of("query", "key", "value")) {
      parts.add(prefix + "attention.self." + part);
    }
    LAYERS.forEach(layer -> parts.add(prefix + layer));
    List<NDArray> weights = weights(parts.stream().map(part -> part + ".weight").toList());
    List<NDArray> biases = weights(parts.stream().map(part -> part + ".bias").toList());
    List<String> normNames = new ArrayList<>();
    NORMS.forEach(
        norm -> normNames.addAll(List.of(prefix + norm + ".weight", prefix + norm + ".bias")));
    List<NDArray> norms = weights(normNames);
    return new Block(
        list(joined(weights)),
        list(joined(biases)),
        list(norms),
        new Gradients(List.of(weights.subList(0, 3), biases.subList(0, 3))),
        new Gradients(List.of(weights.subList(3, 6), biases.subList(3, 6), norms)));
  }

  /** Returns a copy of the first three in one, and the others as they are. */
  private List<NDArray> joined(List<NDArray> parts) {
    List<NDArray> three = parts.subList(0, 3);
    NDArray copy = NDArrays.concat(new NDList(three));
    joined.add(new Joined(copy, IValue.from((PtNDArray) copy), list(three)));
    List<NDArray> all = new ArrayList<>(parts.subList(3, parts.size()));
    all.add(0, copy);
    return all;
  }

  private List<NDArray> weights(List<String> names) {
    return names.stream().map(encoder::weight).toList();
  }

  /** Gives weights gradients of 0, and returns these. */
  private List<NDArray> zeros(List<NDArray> of) {
    List<NDArray> kept = of.stream().map(Autograd::zeroGradient).toList();
    grads.addAll(kept);
    return kept;
  }

  public static IValue list(List<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  @Override
  public void refresh() {
    for (Joined one : joined) {
      IValueUtils.runMethod(ops, "join", one.into(), one.parts()).close();
    }
  }

  @Override
  public TrainingPass forward(Batch batch, Capture capture, Dropout dropout) {
    return new TrainingPass(this, batch, capture, dropout);
  }

  @Override
  public void close() {
    Set.copyOf(blocks).forEach(Block::close);
    embeddings.close();
    projections.values().stream().map(Projection::gradient).distinct().forEach(Gradients::close);
    joined.forEach(Joined::close);
    grads.forEach(NDArray::close);
    heads.close();
    eps.close();
    ops.close();
  }
}
