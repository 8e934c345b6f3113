package io.stillhouse.jobs.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskFullTest {
  private static final Pattern LEFT = Pattern.compile("has ([0-9,]+) KB left of ([0-9,]+) KB");

  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void reportsUsableSpaceOfFullDisk() throws IOException {
    Throwable failure = explained(new IOException("No space left on device"));
    assertThat(failure)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("a disk is full: the disk of cache.path '")
        .hasMessageContaining("free some space and run the same command again");
    Matcher left = LEFT.matcher(failure.getMessage());
    assertThat(left.find()).isTrue();
    // Other processes write at the same time; space reserved for root exceeds this tolerance.
    assertThat(Long.parseLong(left.group(1).replace(",", "")) << 10)
        .isCloseTo(Files.getFileStore(directory).getUsableSpace(), within(2L << 30));
  }

  @Test
  void reportsQuotaInWordsOfFileSystem() {
    assertThat(
            explained(
                new IllegalStateException(
                    "Lost task 3.0:\n"
                        + "The NameSpace quota (directories and files) of directory /c is exceeded:"
                        + " quota=3 file count=4\n"
                        + "\tat somewhere")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "has no space left: The NameSpace quota (directories and files) of directory /c is"
                + " exceeded: quota=3 file count=4; raise the quota");
  }

  @Test
  void explainsFullDiskOfAnyCommand() {
    Throwable failure =
        new IllegalStateException("job", new Error(new IOException("No space left on device")));
    assertThat(DiskFull.message(failure))
        .hasValueSatisfying(
            message ->
                assertThat(message)
                    .startsWith("a disk is full (No space left on device)")
                    .contains("run the same command again, which continues where it stopped"));
    assertThat(DiskFull.message(new IOException("connection reset"))).isEmpty();
  }

  @Test
  void rethrowsOtherFailures() {
    assertThatCode(
            () ->
                DiskFull.explain(
                    new IOException("connection reset", new IllegalStateException()),
                    storage,
                    cache()))
        .doesNotThrowAnyException();
  }

  private Throwable explained(Exception failure) {
    return catchThrowable(
        () -> DiskFull.explain(new IllegalStateException("job", failure), storage, cache()));
  }

  private Path cache() {
    return new Path(directory.resolve("not/there/yet").toUri());
  }
}
