package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CachedTeacher;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.InvalidRows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Restores lost and damaged files of a local cache without targets. */
class RepairTest {
  private static final CachedTeacher TEACHER =
      new CachedTeacher("large", Map.of(), Map.of("config.json", "hash"));

  @TempDir private Path directory;

  private LocalCache cache;
  private CachePlan plan;

  @BeforeEach
  void plansCache() throws IOException {
    cache = new LocalCache(directory.resolve("cache"));
    plan = cache.plan(2);
  }

  @Test
  void restoresMissingPlanFromManifest() throws IOException {
    Files.delete(file(CachePlan.FILE));
    repair();

    assertThat(CachePlan.parse(Files.readString(file(CachePlan.FILE)))).isEqualTo(plan);
  }

  @Test
  void restoresDamagedPlanFromManifest() throws IOException {
    Files.writeString(file(CachePlan.FILE), "{}");
    repair();

    assertThat(CachePlan.parse(Files.readString(file(CachePlan.FILE)))).isEqualTo(plan);
  }

  @Test
  void appendsLostEntryOfPlan() throws IOException {
    Files.delete(file("manifest/00000000.json"));
    ManifestLog manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.state().plan()).isEqualTo(plan);
  }

  @Test
  void rejectsCacheWithoutAnyCopyOfPlan() throws IOException {
    Files.delete(file(CachePlan.FILE));
    Files.writeString(file("manifest/00000000.json"), "{}");

    assertThatThrownBy(this::repair)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("both copies of the plan of cache")
        .hasMessageContaining("delete the cache and run cache again");
  }

  @Test
  void rejectsDirectoryThatIsNotCache() throws IOException {
    LocalCache other = new LocalCache(Files.createDirectories(directory.resolve("other")));

    assertThatThrownBy(() -> new Repair(other.storage, other.path, other.manifest()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("exists but is not a cache: it has no plan.json");
  }

  @Test
  void restoresPlanOfPartFromManifest() throws IOException {
    cache.manifest().append(new ManifestChange.PartAdded(part()));
    Repair repair = repair();

    assertThat(file("plan-000002.json")).exists();
    assertThat(repair.plan().shards()).isEqualTo(LocalCache.shards(0, 3));
  }

  @Test
  void appendsEntryOfPartFromItsFile() throws IOException {
    cache.storage.writeText(part().file(cache.path), part().toJson());
    ManifestLog manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.state().parts()).containsExactly(part());
  }

  @Test
  void restoresRecordOfTeacherFromManifest() throws IOException {
    cache.manifest().append(new ManifestChange.TeacherAdded(TEACHER));
    Repair repair = repair();

    assertThat(file("teachers/large/teacher.json")).exists();
    assertThat(repair.teachers()).containsEntry("large", TEACHER);
  }

  @Test
  void appendsEntryOfTeacherFromItsRecord() throws IOException {
    cache.storage.writeText(TEACHER.file(cache.path), TEACHER.toJson());
    ManifestLog manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.state().teachers()).containsEntry("large", TEACHER);
  }

  @Test
  void restoresInputsOfLostShardsOnly() throws IOException {
    ManifestLog manifest = cache.manifest();
    String lost = manifest.state().inputs(1).orElseThrow().path();
    manifest.append(new ManifestChange.Revoked(List.of(lost), List.of()));
    List<CacheFile> kept = List.of(manifest.state().inputs(0).orElseThrow());
    new Repair(cache.storage, cache.path, manifest).restore(rewritten(LocalCache.shards(0, 2)));

    assertThat(manifest.state().inputs(0)).contains(kept.get(0));
    assertThat(manifest.state().inputs(1)).contains(again(1));
    assertThat(file(again(1).path())).exists();
    assertThat(file(again(0).path())).doesNotExist();
  }

  @Test
  void rejectsCorpusWithoutPlannedRows() throws IOException {
    ManifestLog manifest = cache.manifest();
    String lost = manifest.state().inputs(1).orElseThrow().path();
    manifest.append(new ManifestChange.Revoked(List.of(lost), List.of()));
    Repair repair = new Repair(cache.storage, cache.path, manifest);

    assertThatThrownBy(() -> repair.restore(rewritten(LocalCache.shards(0, 1))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the corpus no longer yields the rows that cache")
        .hasMessageContaining("restore the corpus");
  }

  @Test
  void restoresMissingAndChangedFilesOfTeacher() throws IOException {
    HuggingFaceDirectory teacher = HuggingFaceDirectory.open(Tiny.CLS);
    Map<String, String> files = Fingerprints.directory(cache.storage, Tiny.CLS);
    Path home = Files.createDirectories(file("teacher"));
    Files.writeString(home.resolve("config.json"), "{}");
    repair().restoreTeacher(new org.apache.hadoop.fs.Path(home.toUri()), files, teacher);

    assertThat(Fingerprints.directory(cache.storage, home)).isEqualTo(files);
  }

  private Repair repair() throws IOException {
    return new Repair(cache.storage, cache.path, cache.manifest());
  }

  private static PlanPart part() {
    return new PlanPart(
        100,
        LocalCache.shards(2, 3),
        new PlanPart.Counts(3, 21, 0, Map.of()),
        List.of(new CorpusFile("b.tsv", "hash of b")),
        LocalCache.inputs(2, 3));
  }

  private static Repair.Inputs noInputs() {
    return (staging, part) -> {
      // A lost entry also loses the list of inputs; the files are the same.
      return write(staging, part.shards());
    };
  }

  private static Repair.Inputs rewritten(List<PlanPart.Shard> shards) {
    return (staging, part) -> write(staging, shards);
  }

  private static ShardWriter.WrittenShards write(
      org.apache.hadoop.fs.Path staging, List<PlanPart.Shard> shards) throws IOException {
    LocalCache directory = new LocalCache(Path.of(staging.toUri().getPath()));
    List<CacheFile> files = shards.stream().map(shard -> again(shard.shard())).toList();
    for (CacheFile file : files) {
      directory.create(file.path());
    }
    return new ShardWriter.WrittenShards(shards, files, InvalidRows.NONE);
  }

  /** Returns the inputs of a shard that were written again. */
  private static CacheFile again(int shard) {
    CacheFile first = LocalCache.inputs(shard, shard + 1).get(0);
    return new CacheFile(
        shard,
        first.family(),
        first.path().replace(".parquet", "0.parquet"),
        first.columns(),
        first.size(),
        first.hashes(),
        "");
  }

  private Path file(String name) {
    return cache.directory.resolve(name);
  }
}
