package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.Manifest;
import io.stillhouse.jobs.cache.layout.OtherTeacher;
import io.stillhouse.jobs.cache.layout.Part;
import io.stillhouse.jobs.cache.layout.Plan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a local cache without targets loses, and gets back. */
class RepairTest {
  private static final OtherTeacher TEACHER =
      new OtherTeacher("large", Map.of(), Map.of("config.json", "hash"));

  @TempDir private Path directory;

  private LocalCache cache;
  private Plan plan;

  @BeforeEach
  void plansACache() throws IOException {
    cache = new LocalCache(directory.resolve("cache"));
    plan = cache.plan(2);
  }

  @Test
  void restoresThePlanFromTheManifest() throws IOException {
    Files.delete(file(Plan.FILE));
    repair();

    assertThat(Plan.parse(Files.readString(file(Plan.FILE)))).isEqualTo(plan);
  }

  @Test
  void restoresADamagedPlanFromTheManifest() throws IOException {
    Files.writeString(file(Plan.FILE), "{}");
    repair();

    assertThat(Plan.parse(Files.readString(file(Plan.FILE)))).isEqualTo(plan);
  }

  @Test
  void appendsThePlansEntryIfItIsLost() throws IOException {
    Files.delete(file("manifest/00000000.json"));
    Manifest manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.plan()).isEqualTo(plan);
  }

  @Test
  void refusesACacheThatHasLostBothCopiesOfThePlan() throws IOException {
    Files.delete(file(Plan.FILE));
    Files.writeString(file("manifest/00000000.json"), "{}");

    assertThatThrownBy(this::repair)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("both copies of the plan of cache")
        .hasMessageContaining("delete the cache and run cache again");
  }

  @Test
  void refusesADirectoryThatIsNotACache() throws IOException {
    LocalCache other = new LocalCache(Files.createDirectories(directory.resolve("other")));

    assertThatThrownBy(() -> new Repair(other.storage, other.path, other.manifest()))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("exists but is not a cache: it has no plan.json");
  }

  @Test
  void restoresThePlanOfAPartFromTheManifest() throws IOException {
    cache.manifest().append(Manifest.Entry.grown(part()));
    Repair repair = repair();

    assertThat(file("plan-000002.json")).exists();
    assertThat(repair.plan().shards()).isEqualTo(LocalCache.shards(0, 3));
  }

  @Test
  void appendsTheEntryOfAPartFromItsFile() throws IOException {
    cache.storage.writeText(part().file(cache.path), part().toJson());
    Manifest manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.parts()).containsExactly(part());
  }

  @Test
  void restoresTheRecordOfATeacherFromTheManifest() throws IOException {
    cache.manifest().append(Manifest.Entry.joined(TEACHER));
    Repair repair = repair();

    assertThat(file("teachers/large/teacher.json")).exists();
    assertThat(repair.teachers()).containsEntry("large", TEACHER);
  }

  @Test
  void appendsTheEntryOfATeacherFromItsRecord() throws IOException {
    cache.storage.writeText(TEACHER.file(cache.path), TEACHER.toJson());
    Manifest manifest = cache.manifest();
    new Repair(cache.storage, cache.path, manifest).restore(noInputs());

    assertThat(manifest.teachers()).containsEntry("large", TEACHER);
  }

  @Test
  void takesTheInputsOfLostShardsAlone() throws IOException {
    Manifest manifest = cache.manifest();
    String lost = manifest.inputs(1).orElseThrow().path();
    manifest.append(Manifest.Entry.revoking(List.of(lost), List.of()));
    List<CacheFile> kept = List.of(manifest.inputs(0).orElseThrow());
    new Repair(cache.storage, cache.path, manifest).restore(rewritten(LocalCache.shards(0, 2)));

    assertThat(manifest.inputs(0)).contains(kept.get(0));
    assertThat(manifest.inputs(1)).contains(again(1));
    assertThat(file(again(1).path())).exists();
    assertThat(file(again(0).path())).doesNotExist();
  }

  @Test
  void refusesACorpusThatNoLongerHasThePlannedRows() throws IOException {
    Manifest manifest = cache.manifest();
    String lost = manifest.inputs(1).orElseThrow().path();
    manifest.append(Manifest.Entry.revoking(List.of(lost), List.of()));
    Repair repair = new Repair(cache.storage, cache.path, manifest);

    assertThatThrownBy(() -> repair.restore(rewritten(LocalCache.shards(0, 1))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("the corpus no longer gives the rows that cache")
        .hasMessageContaining("restore the corpus");
  }

  @Test
  void restoresMissingAndChangedFilesOfATeacher() throws IOException {
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

  private static Part part() {
    return new Part(
        100,
        LocalCache.shards(2, 3),
        new Plan.Read(3, 21, 0, Map.of()),
        List.of(new CorpusFile("b.tsv", "hash of b")),
        LocalCache.inputs(2, 3));
  }

  private static Repair.Inputs noInputs() {
    return (staging, part) -> {
      // Lost entries take the list of inputs with them; the files are the same.
      return write(staging, part.shards());
    };
  }

  private static Repair.Inputs rewritten(List<Plan.Shard> shards) {
    return (staging, part) -> write(staging, shards);
  }

  private static ShardWriter.WrittenShards write(
      org.apache.hadoop.fs.Path staging, List<Plan.Shard> shards) throws IOException {
    LocalCache directory = new LocalCache(Path.of(staging.toUri().getPath()));
    List<CacheFile> files = shards.stream().map(shard -> again(shard.shard())).toList();
    for (CacheFile file : files) {
      directory.create(file.path());
    }
    return new ShardWriter.WrittenShards(shards, files, Map.of());
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
