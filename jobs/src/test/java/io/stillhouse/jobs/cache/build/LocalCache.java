package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Manifest;
import io.stillhouse.jobs.cache.layout.Plan;
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

  Manifest manifest() throws IOException {
    return Manifest.survey(storage, path);
  }

  /** Writes a plan whose inputs exist only in name, and its manifest entry. */
  Plan plan(int shards) throws IOException {
    Plan plan =
        new Plan(
            Targets.VERSION,
            Map.of(),
            100,
            shards(0, shards),
            new Plan.Read(3L * shards, 21L * shards, 0, Map.of()),
            Map.of(),
            inputs(0, shards),
            List.of(new CorpusFile("a.tsv", "hash of a")),
            null);
    Manifest.read(storage, path).append(Manifest.Entry.first(plan));
    storage.writeText(new Path(path, Plan.FILE), plan.toJson());
    return plan;
  }

  static List<Plan.Shard> shards(int first, int end) {
    return IntStream.range(first, end)
        .mapToObj(shard -> new Plan.Shard(shard, 3, 0, 21, "keys of " + shard))
        .toList();
  }

  static List<CacheFile> inputs(int first, int end) {
    return IntStream.range(first, end).mapToObj(shard -> file(shard, Family.INPUTS, "id")).toList();
  }

  /** Creates the file of a shard's targets, and appends its manifest entry. */
  CacheFile addTargets(Manifest manifest, int shard) throws IOException {
    CacheFile file = file(shard, Family.HIDDEN, "hidden_03");
    create(file.path());
    manifest.append(Manifest.Entry.added(List.of(file), List.of()));
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
        "%s/shard-%06d-%08x.parquet".formatted(family.id(), shard, shard),
        List.of("id", "length", column),
        new CacheFile.Size(3, 21, 5),
        new CacheFile.Hashes(List.of(), "ab"),
        "");
  }
}
