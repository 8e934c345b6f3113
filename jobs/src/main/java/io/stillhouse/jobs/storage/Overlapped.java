package io.stillhouse.jobs.storage;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Runs pieces of work in order on a second thread, with a bounded number of them waiting. {@link
 * #close} waits for the running piece, so close the destination of the work afterwards.
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
  private final int limit;

  /** A piece of work. */
  public interface Work {
    void run() throws IOException;
  }

  /**
   * @param limit maximum number of waiting pieces
   */
  public Overlapped(int limit) {
    this.limit = limit;
  }

  /**
   * Adds a piece, and waits while too many are waiting. Rethrows the exception of an earlier piece.
   */
  public void submit(Work work) throws IOException {
    while (waiting.size() >= limit) {
      await(waiting.remove());
    }
    waiting.add(
        thread.submit(
            () -> {
              work.run();
              return null;
            }));
  }

  /** Waits until all work is done. Rethrows the exception of a piece. */
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
      Throwable cause = Objects.requireNonNull(e.getCause());
      if (cause instanceof StillhouseException invalid) {
        throw invalid; // its message says what to do
      }
      throw new IOException(cause.getMessage(), cause);
    }
  }

  /** Cancels the pieces that have not started, and waits for the running one. */
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
