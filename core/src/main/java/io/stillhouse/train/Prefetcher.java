package io.stillhouse.train;

import static io.stillhouse.error.Text.format;

import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Reads the rows of each step. It holds the shards of the current step and reads the next ones on
 * another thread while the caller computes.
 */
final class Prefetcher implements AutoCloseable {
  private final TargetSource source;
  private final RowOrder order;
  private final long end;
  private final Map<Integer, Future<List<Example>>> held = new HashMap<>();
  private final ExecutorService reader =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread thread = new Thread(task, "feed");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param end the step before which reading ends
   */
  Prefetcher(TargetSource source, RowOrder order, long end) {
    this.source = source;
    this.order = order;
    this.end = end;
  }

  List<Example> step(long step) throws IOException {
    List<Integer> shards = order.shards(step, end);
    held.keySet().retainAll(shards);
    for (int shard : shards) {
      held.computeIfAbsent(shard, number -> reader.submit(() -> source.read(number)));
    }
    List<RowOrder.Place> places = order.step(step);
    List<Example> rows = new ArrayList<>(places.size());
    for (RowOrder.Place place : places) {
      rows.add(shard(place.shard()).get(place.row()));
    }
    return rows;
  }

  private List<Example> shard(int shard) throws IOException {
    try {
      return Objects.requireNonNull(held.get(shard)).get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cannotRead) {
        throw cannotRead;
      }
      if (e.getCause() instanceof RuntimeException problem) {
        throw problem;
      }
      throw new IllegalStateException(format("cannot read shard %d", shard), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(format("interrupted while reading shard %d", shard), e);
    }
  }

  @Override
  public void close() {
    reader.shutdownNow();
  }
}
