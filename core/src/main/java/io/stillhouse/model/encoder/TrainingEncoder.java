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
import io.stillhouse.spec.Activation;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * An {@link Encoder}'s forward pass and its backward pass, with the derivatives written out in
 * {@code training_encoder.py}. Linear layers compute real tokens only, packed one after another;
 * attention computes them padded. Gradients are accumulated in place; in the word table, only in
 * the rows that were read: libtorch's autograd would create and add a table that is mostly zeros
 * for each batch.
 *
 * <p>The tensors that losses read are leaves. The losses' own backward pass ends at these, and
 * {@link Trainable.Pass#backward} continues from there.
 */
public final class TrainingEncoder implements Trainable {
  private static final String POSITIONS = "bert.embeddings.position_embeddings.weight";
  private static final String SEGMENTS = "bert.embeddings.token_type_embeddings.weight";
  private static final String NORM = "bert.embeddings.LayerNorm";

  /** The linear layers of a block after query, key and value, as in training_encoder.py. */
  private static final List<String> LAYERS =
      List.of("attention.output.dense", "intermediate.dense", "output.dense");

  private static final List<String> NORMS =
      List.of("attention.output.LayerNorm", "output.LayerNorm");

  final Encoder encoder;
  final PtSymbolBlock ops;
  final @Nullable PtSymbolBlock dropoutOps; // on a GPU
  final IValue config;
  final List<Block> blocks = new ArrayList<>(); // the same one at all depths if weights are shared
  final Embeddings embeddings;
  final Map<Integer, Projection> projections = new TreeMap<>();
  private final List<Joined> joined = new ArrayList<>();
  private final List<NDArray> grads = new ArrayList<>();

  /** A copy of several weights in one tensor, and the original weights. */
  private record Joined(NDArray copy, IValue into, IValue parts) {
    void close() {
      into.close();
      parts.close();
      copy.close();
    }
  }

  /**
   * One block's weights and gradients, as the named tuples of {@code training_encoder.py}.
   *
   * @param qkvGradients gradients of query, key and value: the only gradients of a block if losses
   *     read its scores or vectors, but nothing above them
   * @param gradients gradients of the other weights
   */
  record Block(IValue weights, Gradients qkvGradients, Gradients gradients) {
    void close() {
      weights.close();
      qkvGradients.close();
      gradients.close();
    }
  }

  /** The embeddings' weights and gradients, as the named tuple of {@code training_encoder.py}. */
  record Embeddings(IValue weights, Gradients gradients) {
    void close() {
      weights.close();
      gradients.close();
    }
  }

  /** The layer that maps a hidden state to the teacher's width. */
  record Projection(NDArray weightED, Gradients gradients) {}

  /**
   * The gradients of some weights. They are allocated when the first of them is computed, because
   * the optimizer skips weights without a gradient: those that no loss depends on.
   */
  final class Gradients {
    private final List<List<NDArray>> weights;
    private final Function<List<IValue>, IValue> group;
    private @Nullable IValue value;

    /**
     * @param group creates a method argument from the lists of gradients, and takes ownership of
     *     the lists
     */
    Gradients(List<List<NDArray>> weights, Function<List<IValue>, IValue> group) {
      this.weights = weights;
      this.group = group;
    }

    /** Returns the gradients as a method argument. */
    IValue value() {
      IValue now = value;
      if (now == null) {
        now = group.apply(weights.stream().map(some -> TorchScript.list(zeros(some))).toList());
        value = now;
      }
      return now;
    }

    private void close() {
      if (value != null) {
        value.close();
      }
    }
  }

  /**
   * Prepares the weights.
   *
   * @param encoder its weights require gradients, and are trained in place
   * @param projections by hidden state, (teacher width, student width), also trained in place:
   *     losses read the projected states. Gradients of a projection that several states share add
   *     up
   * @param precision precision of the products with weights; those of attention are float32. The
   *     caller checks that the device supports it
   * @param manager determines the device
   */
  public TrainingEncoder(
      Encoder encoder, Map<Integer, NDArray> projections, Precision precision, NDManager manager) {
    EncoderSpec spec = encoder.spec();
    this.encoder = encoder;
    this.ops =
        TorchScript.compile(manager, TrainingEncoder.class, "training_encoder.py", precision);
    this.dropoutOps = manager.getDevice().isGpu() ? Dropout.compile(manager) : null;
    try (IValue heads = IValue.from((long) spec.heads());
        IValue eps = IValue.from(spec.numerics().layerNormEps());
        IValue relu = IValue.from(spec.blocks().activation() == Activation.RELU);
        IValue approximate =
            IValue.from(spec.blocks().activation().approximatesByTanh() ? "tanh" : "none")) {
      this.config = IValueUtils.runMethod(ops, "config", heads, eps, relu, approximate);
    }
    this.embeddings = embeddings(spec.architecture());
    for (int block = 1; block <= spec.layers(); block++) {
      blocks.add(block <= spec.distinctBlocks() ? block(spec.prefixOf(block)) : blocks.get(0));
    }
    IdentityHashMap<NDArray, Projection> byWeight = new IdentityHashMap<>();
    projections.forEach(
        (layer, weight) ->
            this.projections.put(layer, byWeight.computeIfAbsent(weight, this::projection)));
  }

  private Embeddings embeddings(Architecture architecture) {
    List<NDArray> tables =
        weights(
            architecture.hasSegments()
                ? List.of(EncoderSpec.WORDS, POSITIONS, SEGMENTS)
                : List.of(EncoderSpec.WORDS, POSITIONS));
    List<NDArray> norms = weights(List.of(NORM + ".weight", NORM + ".bias"));
    List<NDArray> mapping =
        architecture.mapsEmbeddings()
            ? weights(List.of(EncoderSpec.MAPPING + ".weight", EncoderSpec.MAPPING + ".bias"))
            : List.of();
    return new Embeddings(
        group(
            "embeddings",
            List.of(TorchScript.list(tables), TorchScript.list(norms), TorchScript.list(mapping))),
        new Gradients(List.of(tables, norms, mapping), lists -> group("embeddings", lists)));
  }

  private Block block(String prefix) {
    List<String> qkv =
        Arrays.stream(AttentionPart.values()).map(part -> part.layer(prefix)).toList();
    List<String> layers = LAYERS.stream().map(layer -> prefix + layer).toList();
    List<NDArray> qkvWeights = weights(qkv, ".weight");
    List<NDArray> qkvBiases = weights(qkv, ".bias");
    List<NDArray> weights = weights(layers, ".weight");
    List<NDArray> biases = weights(layers, ".bias");
    List<NDArray> norms = new ArrayList<>();
    for (String norm : NORMS) {
      norms.add(encoder.weight(prefix + norm + ".weight"));
      norms.add(encoder.weight(prefix + norm + ".bias"));
    }
    return new Block(
        group(
            "block_weights",
            List.of(
                TorchScript.list(joined(qkvWeights, weights)),
                TorchScript.list(joined(qkvBiases, biases)),
                TorchScript.list(norms))),
        new Gradients(List.of(qkvWeights, qkvBiases), lists -> group("qkv_grads", lists)),
        new Gradients(List.of(weights, biases, norms), lists -> group("block_grads", lists)));
  }

  private Projection projection(NDArray weightED) {
    return new Projection(
        weightED, new Gradients(List.of(List.of(weightED)), lists -> lists.get(0)));
  }

  /** Returns a copy of some weights in one tensor, followed by others. */
  private List<NDArray> joined(List<NDArray> parts, List<NDArray> others) {
    NDArray copy = NDArrays.concat(new NDList(parts));
    joined.add(new Joined(copy, IValue.from((PtNDArray) copy), TorchScript.list(parts)));
    List<NDArray> all = new ArrayList<>(others);
    all.add(0, copy);
    return all;
  }

  private List<NDArray> weights(List<String> layers, String kind) {
    return weights(layers.stream().map(layer -> layer + kind).toList());
  }

  private List<NDArray> weights(List<String> names) {
    return names.stream().map(encoder::weight).toList();
  }

  /** Creates a named tuple from lists, and closes the lists. */
  private IValue group(String method, List<IValue> lists) {
    IValue tuple = IValueUtils.runMethod(ops, method, lists.toArray(IValue[]::new));
    lists.forEach(IValue::close);
    return tuple;
  }

  /** Sets the gradients of weights to 0 and returns them. */
  private List<NDArray> zeros(List<NDArray> weights) {
    List<NDArray> zeros = weights.stream().map(Autograd::zeroGradient).toList();
    grads.addAll(zeros);
    return zeros;
  }

  @Override
  public void refresh() {
    for (Joined one : joined) {
      IValueUtils.runMethod(ops, "join", one.into(), one.parts()).close();
    }
  }

  @Override
  public Pass forward(Batch batch, Capture capture, Dropout dropout) {
    return new TrainingForward(this, batch, capture, dropout).run();
  }

  @Override
  public void close() {
    Set.copyOf(blocks).forEach(Block::close);
    embeddings.close();
    projections.values().stream().map(Projection::gradients).distinct().forEach(Gradients::close);
    joined.forEach(Joined::close);
    grads.forEach(NDArray::close);
    config.close();
    if (dropoutOps != null) {
      dropoutOps.close();
    }
    ops.close();
  }
}
