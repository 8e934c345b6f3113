package io.stillhouse.jobs.maven;

import io.stillhouse.jobs.spark.Progress;
import org.eclipse.aether.transfer.AbstractTransferListener;
import org.eclipse.aether.transfer.TransferEvent;
import org.jspecify.annotations.Nullable;

/** Shows the progress of a jar's download, but not that of its checksum. */
final class Downloads extends AbstractTransferListener implements AutoCloseable {
  private static final long SMALL = 1_000_000;

  private final String name;
  private @Nullable Progress progress;

  /** Creates a display for an artifact with this name. */
  Downloads(String name) {
    this.name = name;
  }

  @Override
  public synchronized void transferProgressed(TransferEvent event) {
    long length = event.getResource().getContentLength();
    if (length < SMALL) {
      return;
    }
    if (progress == null) {
      progress = Progress.start("download of " + name, length / 1000, "kB");
    }
    progress.update(event.getTransferredBytes() / 1000);
  }

  @Override
  public synchronized void transferCorrupted(TransferEvent event) {
    close();
  }

  @Override
  public synchronized void transferFailed(TransferEvent event) {
    close();
  }

  @Override
  public synchronized void close() {
    if (progress != null) {
      progress.close();
      progress = null;
    }
  }
}
