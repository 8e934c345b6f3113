package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.torch.Autograd;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AdamWTest {
  private static final double RATE = 0.1;
  private static final double DECAY = 0.5;

  @Test
  void matchesHandComputedStepAndDecaysOnlyWeights() {
    // The gradient of sum(3 w) is 3, clipped from norm 3 * sqrt(2) to 1, so 1 / sqrt(2) each; a
    // first step moves by the rate.
    double weight = 2 * (1 - RATE * DECAY) - RATE;
    double bias = 2 - RATE;

    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> parameters =
          new java.util.TreeMap<>(
              Map.of("a.weight", manager.create(2f), "a.bias", manager.create(2f)));
      parameters.values().forEach(p -> p.setRequiresGradient(true));
      TrainSpec.Optimizer spec =
          new TrainSpec.Optimizer(RATE, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), DECAY, 1.0);
      try (AdamW adamW = new AdamW(manager, parameters, spec)) {
        Autograd.record(Autograd.Mode.ON);
        Autograd.backward(
            Autograd.multiply(parameters.get("a.weight").add(parameters.get("a.bias")), 3).sum());

        double norm = adamW.step(1, RATE);

        assertThat(norm).isCloseTo(3 * Math.sqrt(2), within(1e-5));
        assertThat((double) parameters.get("a.weight").getFloat()).isCloseTo(weight, within(1e-5));
        assertThat((double) parameters.get("a.bias").getFloat()).isCloseTo(bias, within(1e-5));
        assertThat(adamW.state().get("first.a.bias").getFloat())
            .isCloseTo((float) (0.1 / Math.sqrt(2)), within(1e-5f));
      }
    }
  }
}
