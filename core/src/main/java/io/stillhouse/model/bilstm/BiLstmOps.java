package io.stillhouse.model.bilstm;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.model.Batch;
import io.stillhouse.spec.Precision;
import io.stillhouse.torch.TorchScript;
import java.util.List;

/** The module of {@code bilstm.py}, and the arguments of its methods. */
final class BiLstmOps implements AutoCloseable {
  private final PtSymbolBlock module;

  /**
   * @param manager determines the device
   * @param precision precision of the products with the inputs; those with states are float32
   */
  BiLstmOps(NDManager manager, Precision precision) {
    this.module = TorchScript.compile(manager, BiLstmOps.class, "bilstm.py", precision);
  }

  /**
   * Returns weights, or their gradients, as a named tuple; the caller closes it.
   *
   * @param table the word table
   * @param forward tensors of the forward direction, ordered as in {@link BiLstm#lstmWeights}
   * @param backward tensors of the backward direction, in the same order
   */
  IValue lstm(NDArray table, List<NDArray> forward, List<NDArray> backward) {
    try (IValue words = IValue.from((PtNDArray) table);
        IValue forwardTensors = TorchScript.list(forward);
        IValue back = TorchScript.list(backward)) {
      return run("lstm", words, forwardTensors, back);
    }
  }

  /** Returns the places of the texts' tokens as a named tuple; the caller closes it. */
  IValue places(Batch batch, PackedTexts texts) {
    NDManager manager = batch.idsBL().getManager();
    NDArray idsN = batch.idsBL().reshape(-1).get(inLibtorch(manager, texts.tokens()));
    List<NDArray> tensors =
        List.of(
            idsN,
            inLibtorch(manager, texts.backward()),
            inLibtorch(manager, texts.order()),
            inLibtorch(manager, texts.lastPlaces()),
            inLibtorch(manager, texts.previous()));
    try (IValue list = TorchScript.list(tensors);
        IValue sizes = IValue.listFrom(texts.sizes())) {
      return run("places", list, sizes);
    }
  }

  IValue run(String method, IValue... arguments) {
    return IValueUtils.runMethod(module, method, arguments);
  }

  /**
   * Copies numbers into libtorch's memory: Java's memory could be freed while libtorch reads it.
   */
  private static NDArray inLibtorch(NDManager manager, long[] numbers) {
    try (NDArray inJava = manager.create(numbers)) {
      return inJava.duplicate();
    }
  }

  @Override
  public void close() {
    module.close();
  }
}
