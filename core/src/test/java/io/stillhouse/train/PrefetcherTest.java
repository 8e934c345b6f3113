package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefetcherTest {
  private final List<List<Example>> shards = List.of(shard("a", 6), shard("b", 3), shard("c", 7));

  @Test
  void returnsRowsInOrderAndReadsEachShardOncePerEpoch() throws IOException {
    MemorySource source = new MemorySource(shards);
    RowOrder order = new RowOrder(source.shardRows(), 4, 1, 1);
    try (Prefetcher feed = new Prefetcher(source, order, 4)) {
      for (int step = 0; step < 4; step++) {
        List<String> expected =
            order.step(step).stream().map(p -> shards.get(p.shard()).get(p.row()).id()).toList();
        assertThat(feed.step(step)).extracting(Example::id).containsExactlyElementsOf(expected);
      }
    }

    assertThat(source.reads()).containsExactlyInAnyOrder(0, 1, 2);
  }

  @Test
  void readsNextShardWhileCallerComputes() throws Exception {
    CountDownLatch second = new CountDownLatch(2);
    TargetSource source =
        new TargetSource() {
          @Override
          public List<Integer> shardRows() {
            return List.of(6, 3, 7);
          }

          @Override
          public List<Example> read(int shard) {
            second.countDown();
            return shards.get(shard);
          }
        };
    try (Prefetcher feed = new Prefetcher(source, new RowOrder(source.shardRows(), 2, 1, 1), 8)) {
      feed.step(0);

      assertThat(second.await(10, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void rethrowsExceptionsOfReader() {
    TargetSource source =
        new TargetSource() {
          @Override
          public List<Integer> shardRows() {
            return List.of(6);
          }

          @Override
          public List<Example> read(int shard) throws IOException {
            throw new IOException("the disk is gone");
          }
        };
    try (Prefetcher feed = new Prefetcher(source, new RowOrder(source.shardRows(), 2, 1, 1), 3)) {
      assertThatThrownBy(() -> feed.step(0))
          .isInstanceOf(IOException.class)
          .hasMessage("the disk is gone");
    }
  }

  private static List<Example> shard(String name, int rows) {
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
