package io.stillhouse.jobs.cache.layout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StagingTest {
  @TempDir private java.nio.file.Path directory;

  private final Storage storage = new Storage(new Configuration());
  private Path cache;

  @BeforeEach
  void namesCache() {
    cache = new Path(directory.resolve("c").toUri());
  }

  @Test
  void firstOfTwoAttemptsWinsAndOtherFails() throws IOException {
    Staging first = plan("first");
    Staging second = plan("second");
    first.commit();
    assertThat(Files.readString(directory.resolve("c/plan.json"))).isEqualTo("first");
    storage.writeText(new Path(second.directory(), CachePlan.FILE), "second");
    assertThatThrownBy(second::commit).isInstanceOf(FileAlreadyExistsException.class);
    assertThatThrownBy(() -> second.requireNoCacheYet(new FileNotFoundException("removed")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("another run has planned cache.path")
        .hasMessageContaining("one cache command at a time");
    second.delete();
    assertThat(directory.toFile().list()).containsExactly("c");
  }

  @Test
  void removesOnlyLeftoversOfKilledAttempts() throws IOException {
    plan("killed");
    plan("killed too");
    for (String other : new String[] {"_c-planning-notes", "_d-planning-0a1b2c3d", "c2"}) {
      Files.createDirectories(directory.resolve(other));
    }
    plan("lives").commit();
    assertThat(directory.toFile().list())
        .containsExactlyInAnyOrder("c", "_c-planning-notes", "_d-planning-0a1b2c3d", "c2");
  }

  @Test
  void rethrowsFailureWithoutConcurrentRun() {
    assertThatCode(() -> plan("fails").requireNoCacheYet(new IllegalStateException("a bug")))
        .doesNotThrowAnyException();
  }

  private Staging plan(String text) throws IOException {
    Staging staging = new Staging(storage, cache);
    storage.writeText(new Path(staging.directory(), CachePlan.FILE), text);
    return staging;
  }
}
