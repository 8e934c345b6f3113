package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowOrderTest {
  private static final List<Integer> UNITS = List.of(5, 1, 7, 0, 4);
  private static final int ROWS = 17;
  private static final int ROWS_PER_STEP = 4;
  private static final int STEPS_PER_EPOCH = 5;

  @Test
  void everyEpochVisitsEachRowOnce() {
    RowOrder order = new RowOrder(UNITS, ROWS_PER_STEP, 1);

    assertThat(order.rows()).isEqualTo(ROWS);
    for (int epoch = 0; epoch < 4; epoch++) {
      List<RowOrder.Place> places = epoch(order, epoch);
      assertThat(places).hasSize(ROWS).doesNotHaveDuplicates();
      assertThat(places)
          .allMatch(place -> place.row() >= 0 && place.row() < UNITS.get(place.unit()));
    }
  }

  @Test
  void onlyAnEpochsLastStepIsShorter() {
    RowOrder order = new RowOrder(UNITS, ROWS_PER_STEP, 1);

    for (int step = 0; step < 2 * STEPS_PER_EPOCH; step++) {
      boolean last = step % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1;
      assertThat(order.step(step)).hasSize(last ? 1 : ROWS_PER_STEP);
    }
  }

  @Test
  void aStepDoesNotDependOnTheStepsAskedForBefore() {
    RowOrder undisturbed = new RowOrder(UNITS, ROWS_PER_STEP, 1);
    List<List<RowOrder.Place>> all = new ArrayList<>();
    for (int step = 0; step < 3 * STEPS_PER_EPOCH; step++) {
      all.add(undisturbed.step(step));
    }

    for (int step = 3 * STEPS_PER_EPOCH - 1; step >= 0; step--) {
      RowOrder resumed = new RowOrder(UNITS, ROWS_PER_STEP, 1);
      assertThat(resumed.step(step)).isEqualTo(all.get(step));
    }
  }

  @Test
  void epochsDiffer() {
    RowOrder order = new RowOrder(UNITS, ROWS_PER_STEP, 1);

    assertThat(epoch(order, 0)).isNotEqualTo(epoch(order, 1));
    assertThat(epoch(order, 1)).isNotEqualTo(epoch(order, 2));
  }

  @Test
  void seedsDiffer() {
    assertThat(epoch(new RowOrder(UNITS, ROWS_PER_STEP, 1), 0))
        .isNotEqualTo(epoch(new RowOrder(UNITS, ROWS_PER_STEP, 2), 0));
  }

  @Test
  void unitsOfOneSizeAreNotShuffledAlike() {
    List<RowOrder.Place> places = epoch(new RowOrder(List.of(20, 20), 8, 1), 0);

    List<Integer> first = rowsOf(places, 0);
    List<Integer> second = rowsOf(places, 1);
    assertThat(first).hasSize(20).isNotEqualTo(second);
  }

  @Test
  void theFirstRowIsDrawnFromEverywhere() {
    HashSet<RowOrder.Place> firsts = new HashSet<>();
    for (long seed = 0; seed < 400; seed++) {
      firsts.add(new RowOrder(UNITS, ROWS_PER_STEP, seed).step(0).get(0));
    }

    assertThat(firsts).hasSize(ROWS);
  }

  @Test
  void aUnitsRowsAreReadTogether() {
    List<RowOrder.Place> places = epoch(new RowOrder(UNITS, ROWS_PER_STEP, 1), 0);

    int changes = 0;
    for (int i = 1; i < places.size(); i++) {
      changes += places.get(i).unit() == places.get(i - 1).unit() ? 0 : 1;
    }
    assertThat(changes).isEqualTo(3); // four units hold rows
  }

  private static List<Integer> rowsOf(List<RowOrder.Place> places, int unit) {
    return places.stream().filter(p -> p.unit() == unit).map(RowOrder.Place::row).toList();
  }

  private static List<RowOrder.Place> epoch(RowOrder order, int epoch) {
    List<RowOrder.Place> places = new ArrayList<>();
    for (int step = 0; step < STEPS_PER_EPOCH; step++) {
      places.addAll(order.step((long) epoch * STEPS_PER_EPOCH + step));
    }
    return places;
  }
}
