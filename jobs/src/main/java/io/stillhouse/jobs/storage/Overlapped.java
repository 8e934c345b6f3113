package io.stillhouse.jobs.storage;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Runs pieces of work in their order on one thread beside the caller's, with at most a few waiting.
 * {@link #close} waits for the piece in hand, so what the work writes to is closed after this.
 */
public final class Overlapped implements AutoCloseable {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread daemon = new Thread(work, "overlapped");
            daemon.setDaemon(true);
            return daemon;
          });
  private final Deque<Future<?>> waiting = new ArrayDeque<>();
  private final int most;

  /** A piece of work. */
  public interface Work {
    void run() throws IOException;
  }

  public Overlapped(int most) {
    this.most = most;
  }

  /** Hands over a piece, once fewer than the most wait; throws what an earlier one threw. */
  public void then(Work work) throws IOException {
    while (waiting.size() >= most) {
      await(waiting.remove());
    }
    waiting.add(
        thread.submit(
            () -> {
              work.run();
              return null;
            }));
  }

  /** Waits until all work is done; throws what a piece threw. */
  public void finish() throws IOException {
    while (!waiting.isEmpty()) {
      await(waiting.remove());
    }
  }

  private static void await(Future<?> piece) throws IOException {
    try {
      piece.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting for a writer", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof StillhouseException invalid) {
        throw invalid; // it says what to do
      }
      throw new IOException(e.getCause().getMessage(), e.getCause());
    }
  }

  /** Drops the work that has not begun and waits for the piece in hand. */
  @Override
  public void close() {
    waiting.forEach(piece -> piece.cancel(false));
    thread.shutdown();
    boolean interrupted = false;
    while (true) {
      try {
        if (thread.awaitTermination(1, TimeUnit.MINUTES)) {
          break;
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
