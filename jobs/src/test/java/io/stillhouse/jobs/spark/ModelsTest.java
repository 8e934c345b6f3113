package io.stillhouse.jobs.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelsTest {
  @TempDir private Path directory;

  @BeforeEach
  void copiesTeacher() throws IOException {
    Tiny.copy(Tiny.CLS, directory);
  }

  @Test
  void loadsEncoderOnce() throws IOException {
    assertThat(Models.encoder(directory.toString(), Precision.FLOAT32))
        .isSameAs(Models.encoder(directory.toString(), Precision.FLOAT32));
  }

  @Test
  void separatesPrecisions() throws IOException {
    assertThat(Models.encoder(directory.toString(), Precision.FLOAT32))
        .isNotSameAs(Models.encoder(directory.toString(), Precision.BFLOAT16));
  }

  @Test
  void loadsEncoderAgainWhenItsDirectoryWasRewritten() throws IOException {
    Object before = Models.encoder(directory.toString(), Precision.FLOAT32);
    Files.setLastModifiedTime(
        directory.resolve("model.safetensors"), FileTime.fromMillis(1_000_000_000_000L));

    assertThat(Models.encoder(directory.toString(), Precision.FLOAT32)).isNotSameAs(before);
  }

  @Test
  void loadsTokenizerAgainWhenItsDirectoryWasRewritten() throws IOException {
    Object before = Models.tokenizer(directory.toString());
    Files.setLastModifiedTime(
        directory.resolve("config.json"), FileTime.fromMillis(1_000_000_000_000L));

    assertThat(Models.tokenizer(directory.toString())).isNotSameAs(before);
  }
}
