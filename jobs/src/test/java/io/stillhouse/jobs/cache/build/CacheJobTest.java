package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Runs the cache command again, on damaged caches and with other recipes. */
class CacheJobTest extends CacheFixture {
  @Test
  void manifestCountsEveryRowOfCorpus() throws IOException {
    Map<String, Integer> rows = new TreeMap<>();
    for (CacheFile file : ManifestLog.read(STORAGE, CacheRows.hadoop(cache)).state().files()) {
      rows.merge(file.family(), file.size().rows(), Integer::sum);
      new CheckedFile(STORAGE, CacheRows.hadoop(cache), file).verify();
    }
    assertThat(rows)
        .isEqualTo(Map.of("inputs", ROWS, "logits", ROWS, "hidden", ROWS, "attention", ROWS));
    assertThat(first.rows()).isEqualTo(ROWS);
    assertThat(first.shards()).isGreaterThan(3).isEqualTo(first.computedShards());
  }

  @Test
  void secondRunChangesNothing() throws IOException {
    Path copy = copyOfCache();
    Map<String, byte[]> before = Tiny.files(copy);
    CacheRecord again = run(settings(copy, "targets.hidden=[0,3]", "targets.attention=[2]"));
    assertThat(again.computedShards()).isZero();
    assertThat(again.rows()).isEqualTo(ROWS);
    assertSame(Tiny.files(copy), before);
  }

  @Test
  void rejectsDifferentMaximumLength() throws IOException {
    Path copy = copyOfCache();
    Map<String, byte[]> before = Tiny.files(copy);
    assertThatThrownBy(() -> run(settings(copy, "targets.hidden=[0,3]", "corpus.max-length=20")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("corpus.max-length = 40, but this recipe has 20")
        .hasMessageContaining("another cache.path");
    assertSame(Tiny.files(copy), before);
  }

  @Test
  void rejectsDifferentCorpus() throws IOException {
    Path other = Tiny.labelled(directory.resolve("other.tsv"), 3, "1", "0");
    assertThatThrownBy(() -> run(settings(cache, "corpus.path=" + other)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("file 'rows.tsv' of the corpus of cache")
        .hasMessageContaining("is not in this recipe's corpus.path")
        .hasMessageContaining("to extend a cache, name new files in addition to the old ones");
  }

  @Test
  void recomputesLostShardsToSameBits() throws IOException {
    Path copy = copyOfCache();
    List<Column> columns =
        List.of(Targets.LOGITS, Targets.hidden(0), Targets.hidden(3), Targets.attention(2));
    List<Example> before = CacheRows.rows(copy, columns);
    List<Path> entries;
    try (var files = Files.list(copy.resolve("manifest"))) {
      entries = files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
    assertThat(entries).hasSize(1 + first.shards());
    for (Path entry : entries.subList(entries.size() - 2, entries.size())) {
      Files.delete(entry);
    }
    CacheRecord again = run(settings(copy, "targets.hidden=[0,3]", "targets.attention=[2]"));
    assertThat(again.computedShards()).isEqualTo(2);
    assertThat(parquet(copy, "hidden")).hasSize(first.shards() + 2);
    List<Example> after = CacheRows.rows(copy, columns);
    assertThat(after).hasSameSizeAs(before);
    for (int row = 0; row < after.size(); row++) {
      assertThat(after.get(row).id()).isEqualTo(before.get(row).id());
      for (Column column : columns) {
        assertThat(after.get(row).cell(column)).isEqualTo(before.get(row).cell(column));
      }
    }
  }

  @Test
  void planDoesNotDependOnPartitioning() throws IOException {
    Path other = directory.resolve("pieces");
    spark.conf().set("spark.sql.files.maxPartitionBytes", "700");
    try {
      run(settings(other, "targets.hidden=[0,3]", "targets.attention=[2]"));
    } finally {
      spark.conf().unset("spark.sql.files.maxPartitionBytes");
    }
    CachePlan plan = CachePlan.read(STORAGE, CacheRows.hadoop(cache));
    CachePlan again = CachePlan.read(STORAGE, CacheRows.hadoop(other));
    assertThat(again.shards()).isEqualTo(plan.shards());
    assertThat(again.fingerprints()).isEqualTo(plan.fingerprints());
    assertThat(again.inputs())
        .extracting(CacheFile::hashes)
        .isEqualTo(plan.inputs().stream().map(CacheFile::hashes).toList());
    for (int shard = 0; shard < plan.shards().size(); shard++) {
      assertThat(CacheRows.reader(other, List.of()).inputs(shard))
          .usingRecursiveComparison()
          .isEqualTo(CacheRows.reader(cache, List.of()).inputs(shard));
    }
    CacheDiff.Result diff = CacheDiff.compare(cache.toString(), other.toString());
    assertThat(diff.equal()).as(diff.words()).isTrue();
    assertThat(diff.words()).contains("120 identical row keys");
  }

  @Test
  void diffReportsDifferentTeacher() throws IOException {
    Path other = directory.resolve("regression");
    run(settings(other, "teacher.path=" + Tiny.REG, "corpus.label=", "targets.hidden=[0,3]"));
    Path same = directory.resolve("classes");
    run(settings(same, "targets.hidden=[0,3]"));
    CacheDiff.Result diff = CacheDiff.compare(same.toString(), other.toString());
    assertThat(diff.equal()).as(diff.words()).isFalse();
  }

  @Test
  void ignoresLeftoversOfCrashedPlanning() throws IOException {
    Path broken = directory.resolve("broken");
    Tiny.copy(Tiny.REG, directory.resolve("_broken-planning-0a1b2c3d/teacher"));
    run(settings(broken, "targets.hidden=[0,3]", "targets.attention=[2]"));
    CacheDiff.Result diff = CacheDiff.compare(cache.toString(), broken.toString());
    assertThat(diff.equal()).as(diff.words()).isTrue();
    assertThat(directory.resolve("_broken-planning-0a1b2c3d")).doesNotExist();
  }

  @Test
  void rejectsDirectoryThatIsNotCache() throws IOException {
    Path mine = Files.createDirectories(directory.resolve("mine"));
    Files.writeString(mine.resolve("precious"), "text");
    assertThatThrownBy(() -> run(settings(mine, "targets.hidden=[3]")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("mine' exists but is not a cache: it has no plan.json")
        .hasMessageContaining("name a path that does not exist yet");
    assertThat(Tiny.files(mine).keySet()).containsExactly("precious");
  }

  @Test
  void copiesAndHashesOnlyFilesOfTeacher() throws IOException {
    Path teacher = directory.resolve("clone");
    Tiny.copy(Tiny.CLS, teacher);
    Files.createDirectories(teacher.resolve(".git"));
    Files.writeString(teacher.resolve(".git/config"), "[remote]");
    Files.writeString(teacher.resolve("optimizer.pt"), "moments");
    Files.writeString(teacher.resolve("credentials.json"), "{}");
    Path built = directory.resolve("built");

    run(settings(built, "targets.hidden=[3]", "teacher.path=" + teacher));

    assertThat(Tiny.files(built.resolve("teacher")).keySet())
        .containsExactlyInAnyOrder("config.json", "model.safetensors", "vocab.txt");
    CachePlan plan = ManifestLog.read(STORAGE, CacheRows.hadoop(built)).state().plan();
    assertThat(plan.teacherFiles().keySet())
        .containsExactlyInAnyOrder("config.json", "model.safetensors", "vocab.txt");
  }

  private static void assertSame(Map<String, byte[]> after, Map<String, byte[]> before) {
    assertThat(after.keySet()).isEqualTo(before.keySet());
    before.forEach((name, bytes) -> assertThat(after.get(name)).as(name).isEqualTo(bytes));
  }
}
