package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A cache that has grown by a file of 40 rows, of which each test may change a copy. */
class GrownByTextTest extends GrowingFixture {
  private static Path corpus;
  private static CacheRecord grown;

  private Path fresh;

  @BeforeAll
  static void growsOnce() throws IOException {
    corpus = Tiny.labelled(shared.resolve("new.tsv"), 40, "LABEL_1", "2");
    Path cache = Tiny.copy(base, shared.resolve("grown"));
    grown = new CacheJob(spark, settings(cache, List.of(shared.resolve("old.tsv"), corpus))).run();
  }

  @BeforeEach
  void copiesGrownCache() throws IOException {
    fresh = Files.copy(corpus, directory.resolve("new.tsv"));
    FileUtils.deleteDirectory(cache.toFile());
    Tiny.copy(shared.resolve("grown"), cache);
  }

  @Test
  void computesOnlyNewShards() throws IOException {
    int added = grown.shards() - first.shards();

    assertThat(grown.rows()).isEqualTo(100);
    assertThat(added).isGreaterThan(1);
    assertThat(grown.computedShards()).isEqualTo(added);
  }

  @Test
  void addsFilesOfEachFamilyAndKeepsOldFiles() throws IOException {
    Map<String, String> after = hashes();
    cache = base;
    Map<String, String> before = hashes();

    assertThat(after).containsAllEntriesOf(before);
    after.keySet().removeAll(before.keySet());
    Map<String, Long> families =
        after.keySet().stream()
            .filter(name -> name.endsWith(".parquet"))
            .collect(Collectors.groupingBy(name -> name.split("/")[0], Collectors.counting()));
    long added = grown.shards() - first.shards();
    assertThat(families)
        .isEqualTo(Map.of("inputs", added, "logits", added, "hidden", added, "attention", added));
  }

  @Test
  void keepsManifestEntriesOfOldFiles() throws IOException {
    List<CacheFile> after = manifest().state().files();
    cache = base;

    assertThat(after).containsAll(manifest().state().files());
  }

  @Test
  void verifyChecksAllRows() throws IOException {
    assertThat(verify("verify.rows=32").isSound()).isTrue();
    assertThat(verify().checked().rows()).isEqualTo(100);
  }

  @Test
  void equalsCacheBuiltAtOnce() throws IOException {
    Path atOnce = directory.resolve("at-once");
    new CacheJob(spark, settings(atOnce, List.of(old, fresh))).run();

    CacheDiff.Result diff = CacheDiff.compare(cache.toString(), atOnce.toString());

    assertThat(diff.equal()).as(diff.words()).isTrue();
    assertThat(diff.words()).contains("100 identical row keys");
  }

  @Test
  void ignoresOrderOfFiles() throws IOException {
    Map<String, byte[]> before = Tiny.files(cache);

    assertThat(run(List.of(fresh, old)).computedShards()).isZero();

    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void rejectsChangedFile() throws IOException {
    Map<String, byte[]> before = Tiny.files(cache);
    Files.writeString(fresh, Files.readString(fresh) + "he was\t1\n");

    assertThatThrownBy(() -> run(List.of(old, fresh)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("file 'new.tsv' of the corpus of cache")
        .hasMessageContaining("has changed since it was cached")
        .hasMessageContaining("restore it and put new text into a separate file");
    assertThat(Tiny.files(cache)).usingRecursiveComparison().isEqualTo(before);
  }

  @Test
  void rejectsChangedAndMissingFilesAtOnce() throws IOException {
    Files.writeString(fresh, Files.readString(fresh) + "he was\t1\n");

    assertThatThrownBy(() -> run(List.of(fresh)))
        .hasMessageContaining("2 problems")
        .hasMessageContaining("'old.tsv' of the corpus")
        .hasMessageContaining("is not in this recipe's corpus.path");
  }

  @Test
  void restoresLostInputsOfMovedFilesUnderOldKeys() throws IOException {
    Map<String, List<byte[]>> before = cells(rows());
    CacheFile lost = manifest().state().inputs(first.shards() + 1).orElseThrow();
    Files.delete(cache.resolve(lost.path()));
    assertThat(verify("verify.rows=0").damaged())
        .singleElement()
        .asString()
        .startsWith(lost.path() + " (shard " + lost.shard() + ")");
    Path elsewhere = directory.resolve("elsewhere/renamed.tsv");
    Files.createDirectories(elsewhere.getParent());
    Files.move(fresh, elsewhere);

    CacheRecord again = run(List.of(old, elsewhere));

    assertThat(again.computedShards()).isZero();
    assertThat(verify("verify.rows=0").isSound()).isTrue();
    assertThat(cells(rows())).usingRecursiveComparison().isEqualTo(before);
  }
}
