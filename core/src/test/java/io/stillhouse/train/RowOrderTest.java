package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RowOrderTest {
  private static final List<Integer> SHARDS = List.of(5, 1, 7, 0, 4);
  private static final int ROWS = 17;
  private static final int BATCH_SIZE = 4;
  private static final int STEPS_PER_EPOCH = 5;

  @Test
  void everyEpochVisitsEachRowOnce() {
    RowOrder order = new RowOrder(SHARDS, BATCH_SIZE, 1, 1);

    assertThat(order.rows()).isEqualTo(ROWS);
    for (int epoch = 0; epoch < 4; epoch++) {
      List<RowOrder.Place> places = epoch(order, epoch);
      assertThat(places).hasSize(ROWS).doesNotHaveDuplicates();
      assertThat(places)
          .allMatch(place -> place.row() >= 0 && place.row() < SHARDS.get(place.shard()));
    }
  }

  @Test
  void onlyLastStepOfEpochIsShorter() {
    RowOrder order = new RowOrder(SHARDS, BATCH_SIZE, 1, 1);

    for (int step = 0; step < 2 * STEPS_PER_EPOCH; step++) {
      boolean last = step % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1;
      assertThat(order.step(step)).hasSize(last ? 1 : BATCH_SIZE);
    }
  }

  @Test
  void stepDoesNotDependOnPreviousCalls() {
    RowOrder undisturbed = new RowOrder(SHARDS, BATCH_SIZE, 1, 1);
    List<List<RowOrder.Place>> all = new ArrayList<>();
    for (int step = 0; step < 3 * STEPS_PER_EPOCH; step++) {
      all.add(undisturbed.step(step));
    }

    for (int step = 3 * STEPS_PER_EPOCH - 1; step >= 0; step--) {
      RowOrder resumed = new RowOrder(SHARDS, BATCH_SIZE, 1, 1);
      assertThat(resumed.step(step)).isEqualTo(all.get(step));
    }
  }

  @Test
  void epochsDiffer() {
    RowOrder order = new RowOrder(SHARDS, BATCH_SIZE, 1, 1);

    assertThat(epoch(order, 0)).isNotEqualTo(epoch(order, 1));
    assertThat(epoch(order, 1)).isNotEqualTo(epoch(order, 2));
  }

  @Test
  void seedsDiffer() {
    assertThat(epoch(new RowOrder(SHARDS, BATCH_SIZE, 1, 1), 0))
        .isNotEqualTo(epoch(new RowOrder(SHARDS, BATCH_SIZE, 1, 2), 0));
  }

  @Test
  void shardsOfEqualSizeAreShuffledDifferently() {
    List<RowOrder.Place> places = epoch(new RowOrder(List.of(20, 20), 8, 1, 1), 0);

    List<Integer> first = rowsOf(places, 0);
    List<Integer> second = rowsOf(places, 1);
    assertThat(first).hasSize(20).isNotEqualTo(second);
  }

  @Test
  void firstRowMayComeFromAnyShard() {
    HashSet<RowOrder.Place> firsts = new HashSet<>();
    for (long seed = 0; seed < 400; seed++) {
      firsts.add(new RowOrder(SHARDS, BATCH_SIZE, 1, seed).step(0).get(0));
    }

    assertThat(firsts).hasSize(ROWS);
  }

  @Test
  void readsRowsOfShardTogether() {
    List<RowOrder.Place> places = epoch(new RowOrder(SHARDS, BATCH_SIZE, 1, 1), 0);

    int changes = 0;
    for (int i = 1; i < places.size(); i++) {
      changes += places.get(i).shard() == places.get(i - 1).shard() ? 0 : 1;
    }
    assertThat(changes).isEqualTo(3); // four shards hold rows
  }

  private static List<Integer> rowsOf(List<RowOrder.Place> places, int shard) {
    return places.stream().filter(p -> p.shard() == shard).map(RowOrder.Place::row).toList();
  }

  @Test
  void shufflesRowsOfBlockTogether() {
    List<Integer> shards = List.of(20, 20, 20, 20, 20);
    RowOrder order = new RowOrder(shards, 10, 2, 3);
    for (int epoch = 0; epoch < 3; epoch++) {
      Set<Integer> seen = new HashSet<>();
      Set<RowOrder.Place> places = new HashSet<>();
      for (int block = 0; block < 3; block++) {
        Set<Integer> own = new HashSet<>();
        for (int step = 0; step < (block < 2 ? 4 : 2); step++) {
          List<RowOrder.Place> rows = order.step(10L * epoch + 4 * block + step);
          rows.forEach(place -> own.add(place.shard()));
          places.addAll(rows);
        }
        assertThat(own).hasSize(block < 2 ? 2 : 1);
        assertThat(seen).doesNotContainAnyElementsOf(own);
        seen.addAll(own);
      }
      assertThat(places).hasSize(100);
      assertThat(order.step(10L * epoch))
          .map(RowOrder.Place::shard)
          .isNotEqualTo(Collections.nCopies(10, order.step(10L * epoch).get(0).shard()));
    }
  }

  @Test
  void listsShardsOfStepAndOfNextBlock() {
    List<Integer> large = List.of(5, 8, 7, 9, 4); // none is smaller than a step
    for (int block = 1; block <= 3; block++) {
      RowOrder order = new RowOrder(large, BATCH_SIZE, block, 1);
      long end = 4L * 9;
      Set<Integer> foreseen = new HashSet<>();
      for (long step = 0; step < end; step++) {
        List<Integer> shards = order.shards(step, end);
        Set<Integer> now =
            order.step(step).stream()
                .map(RowOrder.Place::shard)
                .collect(java.util.stream.Collectors.toSet());
        assertThat(shards).containsAll(now);
        if (step > 0) {
          assertThat(foreseen).containsAll(now);
        }
        foreseen = new HashSet<>(shards);
        // A step has the same rows when it is read first, as in a resumed run.
        assertThat(new RowOrder(large, BATCH_SIZE, block, 1).step(step))
            .isEqualTo(order.step(step));
      }
      assertThat(order.shards(end - 1, end)).hasSizeLessThan(order.shards(end - 1, end + 1).size());
    }
  }

  private static List<RowOrder.Place> epoch(RowOrder order, int epoch) {
    List<RowOrder.Place> places = new ArrayList<>();
    for (int step = 0; step < STEPS_PER_EPOCH; step++) {
      places.addAll(order.step((long) epoch * STEPS_PER_EPOCH + step));
    }
    return places;
  }
}
