package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.TorchScript;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * PyTorch's AdamW (bias-corrected, decoupled weight decay; Loshchilov and Hutter 2019,
 * arXiv:1711.05101) with clipping by the global gradient norm. It runs PyTorch's fused kernel.
 * Biases and LayerNorm weights do not decay.
 *
 * <p>Unlike BertAdam in TinyBERT's released code, it corrects the bias of the moments.
 */
final class AdamW implements AutoCloseable {
  private final TrainSpec.Optimizer spec;
  private final PtSymbolBlock ops;
  private final Map<String, NDArray> parameters;
  private final Map<String, NDArray> first = new LinkedHashMap<>();
  private final Map<String, NDArray> second = new LinkedHashMap<>();

  /**
   * @param manager owns the moments
   * @param parameters trained in place, in a fixed order
   */
  AdamW(NDManager manager, Map<String, NDArray> parameters, TrainSpec.Optimizer spec) {
    this.spec = spec;
    this.ops = TorchScript.compile(manager, AdamW.class, "adamw.py");
    this.parameters = new LinkedHashMap<>(parameters);
    parameters.forEach(
        (name, parameter) -> {
          first.put(name, manager.zeros(parameter.getShape()));
          second.put(name, manager.zeros(parameter.getShape()));
        });
  }

  /**
   * Updates the parameters with the accumulated gradients, and clears the gradients.
   *
   * @param step counted from 1
   * @param learningRate learning rate of this step
   * @return the global norm of the gradients before clipping; the parameters are not updated if it
   *     is not finite
   */
  double step(long step, double learningRate) {
    Autograd.record(Autograd.Mode.OFF);
    Map<String, NDArray> gradients = new LinkedHashMap<>();
    for (Map.Entry<String, NDArray> entry : parameters.entrySet()) {
      NDArray gradient = Autograd.gradient(entry.getValue());
      if (gradient != null) {
        gradients.put(entry.getKey(), gradient);
      }
    }
    double norm = norm(gradients);
    if (Double.isFinite(norm)) {
      double factor = spec.maxGradNorm() > 0 ? spec.maxGradNorm() / (norm + 1e-6) : 1;
      if (factor < 1) {
        run("scale", list(gradients), IValue.from(factor));
      }
      update(step, learningRate, gradients, true);
      update(step, learningRate, gradients, false);
    }
    if (!gradients.isEmpty()) {
      run("clear", list(gradients));
      gradients.values().forEach(NDArray::close);
    }
    return norm;
  }

  /** Returns the moments under the names that a checkpoint uses. */
  Map<String, NDArray> state() {
    Map<String, NDArray> state = new LinkedHashMap<>();
    first.forEach((name, moment) -> state.put("first." + name, moment));
    second.forEach((name, moment) -> state.put("second." + name, moment));
    return state;
  }

  private void update(
      long step, double learningRate, Map<String, NDArray> gradients, boolean decaying) {
    List<PtNDArray> params = new ArrayList<>();
    List<PtNDArray> grads = new ArrayList<>();
    List<PtNDArray> firsts = new ArrayList<>();
    List<PtNDArray> seconds = new ArrayList<>();
    List<PtNDArray> steps = new ArrayList<>();
    gradients.forEach(
        (name, gradient) -> {
          if (decays(name) == decaying) {
            params.add((PtNDArray) parameters.get(name));
            grads.add((PtNDArray) gradient);
            firsts.add((PtNDArray) first.get(name));
            seconds.add((PtNDArray) second.get(name));
          }
        });
    if (params.isEmpty()) {
      return;
    }
    try (NDArray stepCount = params.get(0).getManager().create((float) step)) {
      params.forEach(p -> steps.add((PtNDArray) stepCount));
      run(
          "step",
          list(params),
          list(grads),
          list(firsts),
          list(seconds),
          list(steps),
          IValue.from(learningRate),
          IValue.from(spec.betas().first()),
          IValue.from(spec.betas().second()),
          IValue.from(decaying ? spec.weightDecay() : 0.0),
          IValue.from(spec.betas().epsilon()));
    }
  }

  private double norm(Map<String, NDArray> gradients) {
    if (gradients.isEmpty()) {
      return 0;
    }
    IValue grads = list(gradients);
    try (grads;
        NDManager scope = parameters.values().iterator().next().getManager().newSubManager();
        IValue norm = IValueUtils.runMethod(ops, "norm", grads)) {
      return norm.toTensor((PtNDManager) scope).getFloat();
    }
  }

  private void run(String method, IValue... arguments) {
    IValueUtils.runMethod(ops, method, arguments).close();
    for (IValue argument : arguments) {
      argument.close();
    }
  }

  private static IValue list(Map<String, NDArray> arrays) {
    return list(arrays.values().stream().map(PtNDArray.class::cast).toList());
  }

  private static IValue list(List<PtNDArray> arrays) {
    return IValue.listFrom(arrays.toArray(PtNDArray[]::new));
  }

  private static boolean decays(String name) {
    // An LSTM's biases are called bias_ih_l0 and so on.
    String last = name.substring(name.lastIndexOf('.') + 1);
    return !last.startsWith("bias") && !name.contains("LayerNorm");
  }

  @Override
  public void close() {
    ops.close();
  }
}
