package io.stillhouse.jobs.cache.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that {@code diff} must report as different; {@code CacheJobTest} has equal caches. */
class CacheDiffTest {
  @TempDir private Path directory;

  private Path a;
  private Path b;

  @BeforeEach
  void copiesModelTwice() throws IOException {
    a = directory.resolve("a");
    b = directory.resolve("b");
    Tiny.copy(Tiny.MLM, a.resolve("one"));
    Tiny.copy(Tiny.MLM, b.resolve("one"));
  }

  @Test
  void identicalModelsAreEqual() throws IOException {
    assertThat(CacheDiff.compare(a.toString(), b.toString()).equal()).isTrue();
  }

  @Test
  void singleNaNIsDifference() throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory opened = HuggingFaceDirectory.open(Tiny.MLM);
      Map<String, NDArray> weights = new TreeMap<>(opened.weights(manager));
      String first = weights.keySet().iterator().next(); // others, which are equal, follow
      float[] numbers = weights.get(first).toFloatArray();
      numbers[0] = Float.NaN;
      weights.put(first, manager.create(numbers, weights.get(first).getShape()));
      HuggingFaceDirectory.write(b.resolve("one"), opened.spec(), weights, null);
    }

    CacheDiff.Result diff = CacheDiff.compare(a.toString(), b.toString());

    assertThat(diff.equal()).as(diff.words()).isFalse();
  }

  @Test
  void missingModelIsDifference() throws IOException {
    Tiny.copy(Tiny.MLM, b.resolve("two"));

    CacheDiff.Result diff = CacheDiff.compare(a.toString(), b.toString());

    assertThat(diff.equal()).isFalse();
    assertThat(diff.words()).isEqualTo("models differ: [one] and [one, two]");
  }

  @Test
  void rejectsEmptyDirectories() throws IOException {
    Path nothing = Files.createDirectory(directory.resolve("nothing"));

    assertThatThrownBy(() -> CacheDiff.compare(nothing.toString(), nothing.toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("holds neither a cache, nor a model");
  }
}
