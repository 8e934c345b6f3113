package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HadoopCheckpointsTest {
  @TempDir private Path directory;

  private final History history = History.empty();
  private HadoopCheckpoints checkpoints;

  @BeforeEach
  void opensStore() {
    checkpoints = checkpoints(history);
  }

  private HadoopCheckpoints checkpoints(History of) {
    return new HadoopCheckpoints(
        new Storage(new Configuration()),
        new org.apache.hadoop.fs.Path(directory.resolve("_checkpoints/s").toUri()),
        of);
  }

  @Test
  void isEmptyBeforeFirstCheckpoint() throws IOException {
    assertThat(checkpoints.newest()).isEmpty();
    assertThat(checkpoints.newestStep()).isZero();
  }

  @Test
  void newestHasMostSteps() throws IOException {
    publish(9, "nine");
    publish(10, "ten");
    assertThat(Files.readString(checkpoints.newest().orElseThrow())).isEqualTo("ten");
    assertThat(checkpoints.newestStep()).isEqualTo(10);
  }

  @Test
  void keepsLastTwo() throws IOException {
    for (int step = 5; step <= 20; step += 5) {
      publish(step, "s" + step);
    }
    assertThat(names())
        .containsExactlyInAnyOrder("step-000000015.safetensors", "step-000000020.safetensors");
  }

  @Test
  void writesHistoryInPartsAndReadsItWhole() throws IOException {
    for (int round = 0; round < 4; round++) {
      history.rounds().add(new RoundReport(round, List.of(), 1, 1, 1));
      publish(5 * round, "s" + round);
    }
    history.rounds().add(new RoundReport(4, List.of(), 1, 1, 1));
    Files.writeString(directory.resolve("_checkpoints/s/history/step-000000020.json"), "{");
    List<RoundReport> published = List.copyOf(history.rounds().subList(0, 4));

    History again = History.empty();
    checkpoints(again).newest();

    assertThat(again.rounds()).isEqualTo(published);
    for (int round = 0; round < 4; round++) {
      assertThat(
              Files.readString(
                  directory.resolve(format("_checkpoints/s/history/step-%09d.json", 5 * round))))
          .containsOnlyOnce("\"round\":" + round);
    }
  }

  @Test
  void readsStepsWrittenByTwoRunsOnce() throws IOException {
    for (int round = 0; round < 3; round++) {
      history.rounds().add(new RoundReport(round, List.of(), 1, 1, 1));
    }
    publish(30, "three");
    History other = History.empty(); // told of the first two at another step
    other.rounds().addAll(history.rounds().subList(0, 2));
    checkpoints(other).publish(20, Files.writeString(directory.resolve("local"), "two"));

    History again = History.empty();
    checkpoints(again).newest();

    assertThat(again.rounds()).isEqualTo(history.rounds());
  }

  @Test
  void deletesHistoryWithoutCheckpoint() throws IOException {
    history.rounds().add(new RoundReport(0, List.of(), 1, 1, 1));
    publish(5, "five");
    assertThat(checkpoints.begin()).isEqualTo(5);
    assertThat(checkpoints.newest()).isPresent();
    Files.delete(directory.resolve("_checkpoints/s/step-000000005.safetensors"));

    assertThat(checkpoints.begin()).isZero();
    assertThat(directory.resolve("_checkpoints/s/history")).doesNotExist();
  }

  @Test
  void doesNotOverwriteExistingStep() throws IOException {
    publish(5, "first");
    publish(5, "second");
    assertThat(Files.readString(checkpoints.newest().orElseThrow())).isEqualTo("first");
  }

  @Test
  void ignoresUnfinishedFile() throws IOException {
    publish(5, "five");
    Files.writeString(
        directory.resolve("_checkpoints/s/_step-000000010.safetensors-1a2b3c4d"), "ha");
    assertThat(Files.readString(checkpoints.newest().orElseThrow())).isEqualTo("five");
  }

  private void publish(long step, String text) throws IOException {
    checkpoints.publish(step, Files.writeString(directory.resolve("local"), text));
  }

  private List<String> names() throws IOException {
    try (var files = Files.list(directory.resolve("_checkpoints/s"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith("step-"))
          .toList();
    }
  }
}
