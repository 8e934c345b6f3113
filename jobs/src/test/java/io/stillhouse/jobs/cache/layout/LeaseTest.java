package io.stillhouse.jobs.cache.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeaseTest {
  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());
  private Path cache;

  @BeforeEach
  void makesManifest() throws IOException {
    cache = new Path(directory.toUri());
    Files.createDirectory(directory.resolve(ManifestLog.DIRECTORY));
  }

  @Test
  void isNotHeldWithoutWriter() throws IOException {
    assertThat(Lease.isHeld(storage, cache)).isFalse();
    assertThatCode(() -> Lease.requireNone(storage, cache)).doesNotThrowAnyException();
  }

  @Test
  void isHeldUntilItIsClosed() throws IOException {
    try (Lease lease = Lease.acquire(storage, cache)) {
      assertThat(Lease.isHeld(storage, cache)).isTrue();
      assertThat(lease.isOnlyHolder()).isTrue();
    }
    assertThat(Lease.isHeld(storage, cache)).isFalse();
    assertThat(directory.resolve(ManifestLog.DIRECTORY)).isEmptyDirectory();
  }

  @Test
  void refusesToVacuumWhileItIsHeld() throws IOException {
    try (Lease lease = Lease.acquire(storage, cache)) {
      assertThatThrownBy(() -> Lease.requireNone(storage, cache))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("a command is writing to cache")
          .hasMessageContaining("wait until it ends");
    }
  }

  @Test
  void detectsLeaseOfAnotherWriter() throws IOException {
    try (Lease one = Lease.acquire(storage, cache);
        Lease other = Lease.acquire(storage, cache)) {
      assertThat(one.isOnlyHolder()).isFalse();
      assertThat(other.isOnlyHolder()).isFalse();
    }
  }

  @Test
  void isHeldForMinuteAfterWriterWasKilled() throws IOException {
    leftBehind(Instant.now().minusSeconds(50));

    assertThat(Lease.isHeld(storage, cache)).isTrue();
  }

  @Test
  void expiresAfterMinute() throws IOException {
    leftBehind(Instant.now().minusSeconds(70));

    assertThat(Lease.isHeld(storage, cache)).isFalse();
  }

  private void leftBehind(Instant renewed) throws IOException {
    java.nio.file.Path file = directory.resolve(ManifestLog.DIRECTORY + "/_running-00c0ffee");
    Files.writeString(file, "\n");
    Files.setLastModifiedTime(file, FileTime.from(renewed));
  }
}
