package io.stillhouse.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assumptions.assumeThatCode;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.stillhouse.spec.Precision;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TorchScriptTest {
  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void computesLinearLayersInFloat32() {
    assertThat(linear(Precision.FLOAT32)).containsExactly(1 + 2 * 1.00390625f + 0.5f);
  }

  @Test
  void computesLinearLayersInBfloat16() {
    assumeThatCode(() -> Precision.BFLOAT16.requireProcessor("train.precision"))
        .doesNotThrowAnyException();

    // 1.00390625 = 1 + 2^-8 is rounded to 8 bits.
    assertThat(linear(Precision.BFLOAT16)).containsExactly(1 + 2 * 1f + 0.5f);
  }

  @Test
  void addsOuterProductsInPlace() {
    NDArray sum = manager.ones(new Shape(1, 2));
    try (PtSymbolBlock ops = compile(Precision.FLOAT32);
        IValue sumED = IValue.from((PtNDArray) sum);
        IValue gradNE = IValue.from((PtNDArray) tensor(3f).reshape(1, 1));
        IValue inputND = IValue.from((PtNDArray) tensor(1f, 2f).reshape(1, 2))) {
      IValueUtils.runMethod(ops, "add_outer", sumED, gradNE, inputND).close();
    }

    assertThat(sum.toFloatArray()).containsExactly(4f, 7f);
  }

  @Test
  void listsKeepOrderOfTensors() {
    try (IValue list = TorchScript.list(List.of(tensor(1f), tensor(2f)))) {
      PtNDArray[] tensors = list.toTensorArray((PtNDManager) manager);

      assertThat(tensors[0].toFloatArray()).containsExactly(1f);
      assertThat(tensors[1].toFloatArray()).containsExactly(2f);
    }
  }

  @Test
  void reportsMissingFile() {
    assertThatIllegalStateException()
        .isThrownBy(() -> TorchScript.compile(manager, TorchScriptTest.class, "missing.py"))
        .withMessage("no resource file io.stillhouse.torch/missing.py");
  }

  private float[] linear(Precision precision) {
    try (PtSymbolBlock ops = compile(precision);
        IValue inputND = IValue.from((PtNDArray) tensor(1f, 2f).reshape(1, 2));
        IValue weightED = IValue.from((PtNDArray) tensor(1f, 1.00390625f).reshape(1, 2));
        IValue biasE = IValue.from((PtNDArray) tensor(0.5f));
        IValue result = IValueUtils.runMethod(ops, "linear", inputND, weightED, biasE)) {
      return result.toTensor((PtNDManager) manager).toFloatArray();
    }
  }

  private PtSymbolBlock compile(Precision precision) {
    return TorchScript.compile(manager, TorchScriptTest.class, "products_test.py", precision);
  }

  private NDArray tensor(float... values) {
    return manager.create(values).duplicate();
  }
}
