package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Additions that a cache rejects, and after which it is unchanged. */
class GrowingRefusedTest extends GrowingFixture {
  @Test
  void rejectsRepeatedId() throws IOException {
    Path one = directory.resolve("one.tsv");
    Files.writeString(one, "key\ttext\tlabel\na\tthe of\t1\nb\the was\t0\n");
    Path two = directory.resolve("two.tsv");
    Files.writeString(two, "key\ttext\tlabel\nc\tthe of\t1\nb\tnot here\t0\n");
    cache = directory.resolve("by-id");
    run(List.of(one), "corpus.id=key");
    Map<String, byte[]> before = Tiny.files(cache);

    assertThatThrownBy(() -> run(List.of(one, two), "corpus.id=key"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1 rows of the new files have keys that cache")
        .hasMessageContaining("such as 'b'")
        .hasMessageContaining("give new rows ids that are not in the cache, in column 'key'");
    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void rejectsFilesWithCollidingKeys() throws IOException {
    Path below = directory.resolve("x/old.tsv");
    Files.createDirectories(below.getParent());
    Files.move(old, below);
    Path other = tsv("old.tsv", 3);

    assertThatThrownBy(() -> run(List.of(below, other)))
        .hasMessageContaining("have keys that cache")
        .hasMessageContaining("such as 'old.tsv:0'")
        .hasMessageContaining("rename the new file");
  }

  @Test
  void rejectsGrowthOfCacheWithRowLimit() throws IOException {
    cache = directory.resolve("limited");
    run(List.of(old), "corpus.limit=10");

    assertThatThrownBy(() -> run(List.of(old, tsv("new.tsv", 5)), "corpus.limit=10"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("corpus.limit is 10")
        .hasMessageContaining("cannot grow by [new.tsv]");
  }

  @Test
  void tooManyInvalidNewRowsLeaveCacheUnchanged() throws IOException {
    Path poor = directory.resolve("poor.tsv");
    Files.writeString(poor, "text\tlabel\nthe of\t1\n\t0\n");
    Map<String, byte[]> before = Tiny.files(cache);

    assertThatThrownBy(() -> run(List.of(old, poor)))
        .hasMessageContaining(
            "1 of 2 rows are invalid, more than corpus.max-invalid (0.01) allows: empty (1,");
    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void rejectsGrowthWithoutSoftLabelsOfCache() throws IOException {
    Path lines = Tiny.lines(directory.resolve("lines.txt"), 12);
    Path more = Tiny.lines(directory.resolve("more.txt"), 12);
    cache = directory.resolve("mlm");
    String[] top = {"targets.mlm-logits=top-k", "targets.top-k=4"};
    new CacheJob(spark, maskedLm(lines, top)).run();

    String both = "[" + lines + "," + more + "]";
    assertThatThrownBy(() -> new CacheJob(spark, maskedLm(both)).run())
        .hasMessageContaining("which this recipe does not compute for new files")
        .hasMessageContaining("targets.mlm-* settings");
    assertThat(new CacheJob(spark, maskedLm(both, top)).run().rows()).isEqualTo(24);
  }

  private Settings maskedLm(Object corpus, String... more) {
    return TinyRecipe.text(corpus).cache(cache).shardTokens(300).settings(more);
  }
}
