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
  private static final String WEIGHTS = "model.safetensors";
  private static final FileTime LONG_AGO = FileTime.fromMillis(1_000_000_000_000L);

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
  void sharesModelAndTokenizerOfTwoPathsWithEqualFiles(@TempDir Path other) throws IOException {
    Tiny.copy(Tiny.CLS, other);

    assertThat(Models.encoder(other.toString(), Precision.FLOAT32))
        .isSameAs(Models.encoder(directory.toString(), Precision.FLOAT32));
    assertThat(Models.tokenizer(other.toString())).isSameAs(Models.tokenizer(directory.toString()));
  }

  @Test
  void keepsModelWhoseFilesWereOnlyTouched() throws IOException {
    Object before = Models.encoder(directory.toString(), Precision.FLOAT32);
    Files.setLastModifiedTime(directory.resolve(WEIGHTS), LONG_AGO);

    assertThat(Models.encoder(directory.toString(), Precision.FLOAT32)).isSameAs(before);
  }

  @Test
  void loadsModelAgainThatWasTrainedAgainWithEqualLengthAndTime() throws IOException {
    Files.setLastModifiedTime(directory.resolve(WEIGHTS), LONG_AGO);
    Object before = Models.encoder(directory.toString(), Precision.FLOAT32);

    byte[] weights = Files.readAllBytes(directory.resolve(WEIGHTS));
    weights[weights.length - 1] ^= 1;
    Files.write(directory.resolve(WEIGHTS), weights);
    Files.setLastModifiedTime(directory.resolve(WEIGHTS), LONG_AGO);

    assertThat(Models.encoder(directory.toString(), Precision.FLOAT32)).isNotSameAs(before);
  }

  @Test
  void loadsTokenizerAgainWhoseVocabularyHasChanged() throws IOException {
    Object before = Models.tokenizer(directory.toString());
    Path swapped = directory.resolve("swapped");
    Tiny.swapTokens(Tiny.CLS, swapped);

    assertThat(Models.tokenizer(swapped.toString())).isNotSameAs(before);
  }

  @Test
  void versionWithFileThatWasChangedJustNowEqualsNoOther() throws IOException {
    assertThat(DirectoryVersion.read(Tiny.CLS.toString()))
        .isEqualTo(DirectoryVersion.read(Tiny.CLS.toString()));
    assertThat(DirectoryVersion.read(directory.toString()))
        .isNotEqualTo(DirectoryVersion.read(directory.toString()));
  }
}
