package io.stillhouse.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ParetoFrontTest {
  private record Model(String name, double size, double error) {}

  @Test
  void keepsModelsThatNoOtherOneBeats() {
    Model small = new Model("small", 1, 0.4);
    Model large = new Model("large", 9, 0.1);
    Model worse = new Model("worse", 9, 0.2);
    Model larger = new Model("larger", 2, 0.4);
    assertThat(front(small, large, worse, larger)).containsExactly(small, large);
  }

  @Test
  void keepsModelsThatAreEqual() {
    Model a = new Model("a", 1, 0.4);
    Model b = new Model("b", 1, 0.4);
    assertThat(front(a, b)).containsExactly(a, b);
  }

  @Test
  void leavesOutModelsThatWereNotMeasured() {
    Model unknown = new Model("unknown", 0.5, Double.NaN);
    Model known = new Model("known", 1, 0.4);
    assertThat(front(unknown, known)).containsExactly(known);
  }

  private static List<Model> front(Model... models) {
    return ParetoFront.of(List.of(models), Model::size, Model::error);
  }
}
