package io.stillhouse.model.bilstm;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Linear;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Direction;
import io.stillhouse.spec.BiLstmSpec.Texts;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The forward pass of a single-layer bidirectional LSTM (Tang et al. 2019, arXiv:1903.12136,
 * section 3.1), equivalent to PyTorch's nn.LSTM over packed sequences: word vectors, the
 * concatenated last states of both directions, a ReLU layer, dropout, logits.
 *
 * <p>This is the reference that {@link TrainingBiLstm} and {@link InferenceBiLstm} are tested
 * against. Weights belong to the caller. Gradients are recorded if the thread's {@link Autograd}
 * mode is on.
 */
public final class BiLstm implements Predictor {
  private final BiLstmSpec spec;
  private final Map<String, NDArray> weights;

  /**
   * @param spec spec of the model
   * @param weights every tensor of {@link BiLstmSpec#parameters()}, float32; others are ignored
   */
  public BiLstm(BiLstmSpec spec, Map<String, NDArray> weights) {
    this.spec = spec;
    this.weights = Map.copyOf(weights);
  }

  @Override
  public BiLstmSpec spec() {
    return spec;
  }

  @Override
  public EncoderOutput forward(Batch batch, Capture capture) {
    return forward(batch, Dropout.NONE);
  }

  /** Computes a batch with dropout; results belong to the batch's manager. */
  public EncoderOutput forward(Batch batch, Dropout dropout) {
    NDManager manager = batch.idsBL().getManager();
    PackedTexts texts = PackedTexts.of(batch, spec.texts());
    try (NDManager scope = manager.newSubManager()) {
      batch.idsBL().tempAttach(scope);
      NDArray ids = batch.idsBL().reshape(-1).get(scope.create(texts.tokens()));
      NDArray vectorsND = Autograd.rows(weight(BiLstmSpec.WORDS), ids);
      NDArray backwardND = Autograd.rows(vectorsND, scope.create(texts.backward()));
      NDArray lastSE =
          NDArrays.concat(
              new NDList(
                  last(vectorsND, texts, Direction.FORWARD),
                  last(backwardND, texts, Direction.BACKWARD)),
              1);
      lastSE.attach(manager);
      return output(lastSE, dropout);
    }
  }

  /** Returns the last state of one direction for each text, (S, H). */
  private NDArray last(NDArray vectorsND, PackedTexts texts, Direction direction) {
    int hidden = spec.units().hiddenSize();
    NDArray inputs = linear(vectorsND, direction, "ih");
    NDList states = new NDList();
    long start = 0;
    NDArray cell = vectorsND.getManager().zeros(new Shape(texts.sizes()[0], hidden));
    NDArray state = cell;
    for (long rows : texts.sizes()) {
      String some = format("0:%d", rows);
      NDArray gates =
          inputs
              .get(format("%d:%d", start, start + rows))
              .add(linear(state.get(some), direction, "hh"));
      NDArray in = Activation.sigmoid(gate(gates, 0));
      NDArray forget = Activation.sigmoid(gate(gates, 1));
      NDArray fresh = gate(gates, 2).tanh();
      NDArray out = Activation.sigmoid(gate(gates, 3));
      cell = forget.mul(cell.get(some)).add(in.mul(fresh));
      state = out.mul(cell.tanh());
      states.add(state);
      start += rows;
    }
    NDArray statesNH = NDArrays.concat(states);
    return Autograd.rows(statesNH, statesNH.getManager().create(texts.lastPlaces()));
  }

  private NDArray gate(NDArray gates, int number) {
    int hidden = spec.units().hiddenSize();
    return gates.get(format(":, %d:%d", number * hidden, (number + 1) * hidden));
  }

  /**
   * Returns the output of a pass.
   *
   * @param lastSE last states of both directions for each text
   */
  EncoderOutput output(NDArray lastSE, Dropout dropout) {
    NDManager manager = lastSE.getManager();
    try (NDManager scope = manager.newSubManager()) {
      lastSE.tempAttach(scope);
      NDArray innerBI = Activation.relu(linear(features(lastSE), "dense"));
      NDArray logitsBC = linear(dropout.apply(innerBI, spec.dropout()), "classifier");
      NDArray last1SE = lastSE.expandDims(0);
      logitsBC.attach(manager);
      last1SE.attach(manager);
      return new EncoderOutput(last1SE, Map.of(), Map.of(), Map.of(), Map.of(), logitsBC);
    }
  }

  /** Returns the input of the ReLU layer for each row; for pairs [a, b, a * b, |a - b|]. */
  private NDArray features(NDArray lastSE) {
    if (spec.texts() == Texts.SINGLE) {
      return lastSE;
    }
    long rows = lastSE.getShape().get(0) / Texts.PAIR.count();
    NDArray first = lastSE.get(format("0:%d", rows));
    NDArray second = lastSE.get(format("%d:", rows));
    return NDArrays.concat(
        new NDList(first, second, first.mul(second), first.sub(second).abs()), 1);
  }

  @Override
  public NDArray maskedLmLogits(NDArray stateND) {
    throw new IllegalStateException("a BiLSTM has no masked-LM head");
  }

  private NDArray linear(NDArray input, Direction direction, String source) {
    return Linear.linear(
            input,
            weight(direction.parameter("weight_" + source)),
            weight(direction.parameter("bias_" + source)))
        .singletonOrThrow();
  }

  private NDArray linear(NDArray input, String name) {
    return Linear.linear(input, weight(name + ".weight"), weight(name + ".bias"))
        .singletonOrThrow();
  }

  /** Returns the weights for a direction's input and state, then their biases. */
  List<NDArray> lstmWeights(Direction direction) {
    return Stream.of("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        .map(kind -> weight(direction.parameter(kind)))
        .toList();
  }

  NDArray weight(String name) {
    NDArray weight = weights.get(name);
    if (weight == null) {
      throw new IllegalStateException("there is no weight " + name);
    }
    return weight;
  }
}
