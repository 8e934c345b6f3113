package io.stillhouse.jobs.cache.build;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** A cache in a local directory, made without Spark and without a teacher. */
final class LocalCache {
  final Storage storage = new Storage(new Configuration());
  final java.nio.file.Path directory;
  final Path path;

  LocalCache(java.nio.file.Path directory) {
    this.directory = directory;
    this.path = new Path(directory.toUri());
  }

  ManifestLog manifest() throws IOException {
    return ManifestLog.readUndamaged(storage, path);
  }

  /** Writes a plan whose inputs exist only in name, and its manifest entry. */
  CachePlan plan(int shards) throws IOException {
    CachePlan plan =
        new CachePlan(
            Targets.VERSION,
            Map.of(),
            new PlanPart(
                100,
                shards(0, shards),
                new PlanPart.Counts(3L * shards, 21L * shards, 0, Map.of()),
                List.of(new CorpusFile("a.tsv", "hash of a")),
                inputs(0, shards)),
            Map.of(),
            null);
    ManifestLog.read(storage, path).append(new ManifestChange.PlanAdded(plan));
    storage.writeText(new Path(path, CachePlan.FILE), plan.toJson());
    return plan;
  }

  static List<PlanPart.Shard> shards(int first, int end) {
    return IntStream.range(first, end)
        .mapToObj(shard -> new PlanPart.Shard(shard, 3, 0, 21, "keys of " + shard))
        .toList();
  }

  static List<CacheFile> inputs(int first, int end) {
    return IntStream.range(first, end).mapToObj(shard -> file(shard, Family.INPUTS, "id")).toList();
  }

  /** Creates the file of a shard's targets, and appends its manifest entry. */
  CacheFile addTargets(ManifestLog manifest, int shard) throws IOException {
    CacheFile file = file(shard, Family.HIDDEN, "hidden_03");
    create(file.path());
    manifest.append(new ManifestChange.FilesAdded(List.of(file), List.of()));
    return file;
  }

  void create(String name) throws IOException {
    Files.createDirectories(directory.resolve(name).getParent());
    Files.writeString(directory.resolve(name), "bytes");
  }

  static CacheFile file(int shard, Family family, String column) {
    return new CacheFile(
        shard,
        family.id(),
        format("%s/shard-%06d-%08x.parquet", family.id(), shard, shard),
        List.of("id", "length", column),
        new CacheFile.Size(3, 21, 5),
        new CacheFile.Hashes(List.of(), "ab"),
        "");
  }
}
