package io.stillhouse.jobs.inference;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Pairing;
import java.util.ArrayList;
import java.util.List;

/**
 * Computes batches with a TorchScript module whose method is {@code forward(input_ids,
 * attention_mask, token_type_ids)}, without the last for architectures that have no segments. It
 * returns logits if the config names a task head, and otherwise the last hidden states.
 */
final class TorchScriptForward implements BatchForward {
  private final ModelLocation location;
  private final ModelSpec spec;
  private final PtSymbolBlock module;
  private final int threads;

  /**
   * @param threads number of libtorch threads
   */
  TorchScriptForward(ModelLocation location, ModelSpec spec, PtSymbolBlock module, int threads) {
    this.location = location;
    this.spec = spec;
    this.module = module;
    this.threads = threads;
  }

  @Override
  public float[][] logits(List<Pairing.Input> batch) {
    ExportOutput.LOGITS.require(output(), location);
    try (NDManager manager = Devices.manager()) {
      return LibtorchForward.rows(run(manager, PaddedRows.of(batch)));
    }
  }

  @Override
  public float[][] embeddings(List<Pairing.Input> batch, Pooling pooling) {
    ExportOutput.HIDDEN_STATES.require(output(), location);
    PaddedRows padded = PaddedRows.of(batch);
    try (NDManager manager = Devices.manager()) {
      return padded.pooled(run(manager, padded).toFloatArray(), pooling);
    }
  }

  private ExportOutput output() {
    Task task = spec.head().task();
    if (task == Task.MASKED_LM) {
      throw ExportOutput.perToken(location);
    }
    return task.pooled() ? ExportOutput.LOGITS : ExportOutput.HIDDEN_STATES;
  }

  private NDArray run(NDManager manager, PaddedRows batch) {
    LibtorchForward.prepareThread(threads);
    Shape shape = new Shape(batch.shape());
    List<IValue> inputs = new ArrayList<>();
    inputs.add(IValue.from((PtNDArray) manager.create(batch.idsBL(), shape)));
    inputs.add(IValue.from((PtNDArray) manager.create(batch.maskBL(), shape)));
    if (!(spec instanceof EncoderSpec encoder) || encoder.architecture().hasSegments()) {
      inputs.add(IValue.from((PtNDArray) manager.create(batch.typesBL(), shape)));
    }
    try (IValue result = IValueUtils.runMethod(module, "forward", inputs.toArray(IValue[]::new))) {
      return result.toTensor((PtNDManager) manager);
    } finally {
      inputs.forEach(IValue::close);
    }
  }
}
