package io.stillhouse.jobs.report;

import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/**
 * The models that no other one beats: none is at least as good in both costs, and better in one.
 */
final class ParetoFront {
  private ParetoFront() {}

  /**
   * Returns the models of the front, in the given order. A model whose cost is not finite is not on
   * it.
   *
   * @param cost a number of which less is better, such as parameters
   * @param loss a number of which less is better, such as the negative accuracy
   */
  static <T> List<T> of(List<T> all, ToDoubleFunction<T> cost, ToDoubleFunction<T> loss) {
    Predicate<T> known =
        each ->
            Double.isFinite(cost.applyAsDouble(each)) && Double.isFinite(loss.applyAsDouble(each));
    List<T> candidates = all.stream().filter(known).toList();
    return candidates.stream()
        .filter(each -> candidates.stream().noneMatch(other -> beats(other, each, cost, loss)))
        .toList();
  }

  private static <T> boolean beats(T a, T b, ToDoubleFunction<T> cost, ToDoubleFunction<T> loss) {
    double costs = cost.applyAsDouble(a) - cost.applyAsDouble(b);
    double losses = loss.applyAsDouble(a) - loss.applyAsDouble(b);
    return costs <= 0 && losses <= 0 && (costs < 0 || losses < 0);
  }
}
