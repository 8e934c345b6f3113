package io.stillhouse.jobs.storage;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StorageTest {
  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void publishesCompleteFileOnly() throws IOException {
    storage.publishExclusively(at("a/b/entry.json"), bytes("whole"));
    assertThat(storage.readText(at("a/b/entry.json"))).isEqualTo("whole");
    assertThat(directory.resolve("a/b").toFile().list()).containsExactly("entry.json");
  }

  @Test
  void doesNotOverwriteExistingFile() throws IOException {
    storage.publishExclusively(at("entry.json"), bytes("first"));
    assertThatThrownBy(() -> storage.publishExclusively(at("entry.json"), bytes("second")))
        .isInstanceOf(FileAlreadyExistsException.class)
        .hasMessageContaining("entry.json' already exists");
    assertThat(storage.readText(at("entry.json"))).isEqualTo("first");
    assertThat(directory.toFile().list()).containsExactly("entry.json");
  }

  @Test
  void requireFileRejectsMissingFilesAndDirectories() throws IOException {
    storage.writeText(at("file.txt"), "text");
    String file = directory.resolve("file.txt").toString();
    String none = directory.resolve("none.txt").toString();

    assertThat(storage.requireFile("some.key", file)).isEqualTo(storage.qualify(file));
    assertThat(storage.requireNoDirectory("some.key", none)).isEqualTo(storage.qualify(none));
    assertThatThrownBy(() -> storage.requireFile("some.key", none))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("some.key does not exist: '" + none + "'");
    assertThatThrownBy(() -> storage.requireFile("some.key", directory.toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(format("some.key '%s' is a directory; name a file", directory));
  }

  @Test
  void replacedFileAlwaysExists() throws Exception {
    storage.writeText(at("window/a.json"), "0");
    ExecutorService writer = Executors.newSingleThreadExecutor();
    try {
      Future<?> writes =
          writer.submit(
              () -> {
                for (int i = 1; i <= 500; i++) {
                  storage.writeText(at("window/a.json"), Integer.toString(i));
                }
                return null;
              });
      int last = 0;
      while (!writes.isDone()) {
        int read = Integer.parseInt(storage.readText(at("window/a.json")));
        assertThat(read).isGreaterThanOrEqualTo(last);
        last = read;
      }
      writes.get();
    } finally {
      writer.shutdownNow();
    }
    assertThat(storage.readText(at("window/a.json"))).isEqualTo("500");
    assertThat(directory.resolve("window").toFile().list()).containsExactly("a.json");
  }

  @Test
  void oneOfManyConcurrentWritersWins() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      for (int round = 0; round < 20; round++) {
        Path path = at(format("%08d.json", round));
        List<Callable<Boolean>> writers = new ArrayList<>();
        for (int writer = 0; writer < 8; writer++) {
          byte[] bytes = bytes("writer " + writer);
          writers.add(() -> publishes(path, bytes));
        }
        int winners = 0;
        for (Future<Boolean> writer : threads.invokeAll(writers)) {
          winners += writer.get() ? 1 : 0;
        }
        assertThat(winners).isEqualTo(1);
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void doesNotMoveDirectoryIntoAnother() throws IOException {
    Files.createDirectories(directory.resolve("from/x"));
    Files.createDirectories(directory.resolve("to/y"));
    assertThatThrownBy(() -> storage.renameExclusively(at("from"), at("to")))
        .isInstanceOf(FileAlreadyExistsException.class);
    assertThat(directory.resolve("from/x")).exists();
    storage.renameExclusively(at("from"), at("new"));
    assertThat(directory.resolve("new/x")).exists();
  }

  @Test
  void rejectsFileSystemWithoutAtomicCreate() {
    assertThatThrownBy(() -> storage.requireExclusive("cache.path", "s3a://bucket/cache"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "cache.path 's3a://bucket/cache' is on the file system 's3a', where two concurrent"
                + " runs could both commit: S3A in Hadoop 3.3 has no operation that creates a file"
                + " only if it does not exist; name a path on file: or hdfs:, and copy the finished"
                + " directory afterwards");
    for (String given : List.of("viewfs://c/x", "webhdfs://h/x", "gs://b/x", "abfs://b@c/x")) {
      assertThatThrownBy(() -> storage.requireExclusive("cache.path", given))
          .isInstanceOf(StillhouseException.class)
          .hasMessageContaining("has been tested on file: and hdfs: only");
    }
  }

  @Test
  void pathWithoutSchemeIsOnDefaultFileSystem() {
    assertThat(storage.requireExclusive("cache.path", directory.toString()).toUri().getScheme())
        .isEqualTo("file");
    Configuration elsewhere = new Configuration();
    elsewhere.set("fs.defaultFS", "s3a://bucket");
    assertThatThrownBy(() -> new Storage(elsewhere).requireExclusive("cache.path", "/cache"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("'/cache' is on the file system 's3a'");
  }

  private boolean publishes(Path path, byte[] bytes) throws IOException {
    try {
      storage.publishExclusively(path, bytes);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  private Path at(String name) {
    return new Path(directory.resolve(name).toUri());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
