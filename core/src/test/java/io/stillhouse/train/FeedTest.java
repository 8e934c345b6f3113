package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FeedTest {
  private final List<List<Example>> units = List.of(unit("a", 6), unit("b", 3), unit("c", 7));

  @Test
  void givesTheRowsOfTheOrderAndReadsEachUnitOnceAnEpoch() throws IOException {
    MemorySource source = new MemorySource(units);
    RowOrder order = new RowOrder(source.unitRows(), 4, 1);
    Feed feed = new Feed(source, order);

    for (int step = 0; step < 4; step++) {
      List<String> expected =
          order.step(step).stream().map(p -> units.get(p.unit()).get(p.row()).id()).toList();
      assertThat(feed.step(step)).extracting(Example::id).containsExactlyElementsOf(expected);
    }

    assertThat(source.reads()).containsExactlyInAnyOrder(0, 1, 2);
  }

  private static List<Example> unit(String name, int rows) {
    return IntStream.range(0, rows)
        .mapToObj(
            row ->
                new Example(
                    name + row,
                    new Example.Inputs(new int[] {2, 3}, new int[2], null, Double.NaN),
                    Dtype.FLOAT32,
                    Map.of()))
        .toList();
  }
}
