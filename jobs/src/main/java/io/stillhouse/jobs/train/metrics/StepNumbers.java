package io.stillhouse.jobs.train.metrics;

import io.stillhouse.train.StepReport;
import java.util.LinkedHashMap;
import java.util.Map;

/** The numbers of one step, under the names that both files and gauges use. */
final class StepNumbers {
  private StepNumbers() {}

  /**
   * Returns the loss, its unweighted terms, the learning rate, the gradient norm before clipping,
   * the real tokens of all steps so far, real tokens per second, and the share of time spent
   * waiting for data, in 0..1.
   */
  static Map<String, Double> of(StepReport step) {
    Map<String, Double> numbers = new LinkedHashMap<>();
    numbers.put("loss", step.loss());
    step.terms().forEach((term, value) -> numbers.put(term.id(), value));
    numbers.put("learning-rate", step.optimizer().learningRate());
    numbers.put("gradient-norm", step.optimizer().gradientNorm());
    numbers.put("tokens-seen", (double) step.tokensSeen());
    numbers.put("tokens-per-second", step.work().tokensPerSecond());
    numbers.put("wait-share", step.work().waitShare());
    return numbers;
  }
}
