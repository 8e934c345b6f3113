package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** Base of tests that a user error gives exit code 2 and one message, and writes nothing. */
@Tag("spark")
abstract class BadInputFixture {
  static final Map<String, String> SPARK =
      Map.of("spark.master", "local[2]", "spark.ui.enabled", "false");

  @TempDir static Path shared;
  @TempDir Path directory;

  static Path corpus;

  @BeforeAll
  static void writeCorpus() throws IOException {
    corpus = Tiny.labelled(shared.resolve("rows.tsv"), 24, "1", "0");
    Tiny.spark().stop(); // each command opens and closes its own session
    SPARK.forEach(System::setProperty);
  }

  @AfterAll
  static void clearMaster() {
    SPARK.keySet().forEach(System::clearProperty);
  }

  static String isADirectory() {
    return format(" '%s' is a directory; name a file", shared);
  }

  void assertNothingWritten() {
    assertThat(directory.toFile().list())
        .isSubsetOf("stderr", "stdout", "teacher", "rows.tsv", "blank.tsv", "bad.conf");
  }
}
