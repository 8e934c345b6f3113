package io.stillhouse.jobs.cache.layout;

import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Small parts of a cache for tests of its layout. */
final class LayoutFixtures {
  private LayoutFixtures() {}

  static CacheFile file(int shard, Family family, String column) {
    return file(shard, family, column, "");
  }

  static CacheFile file(int shard, Family family, String column, String teacher) {
    return new CacheFile(
        shard,
        family.id(),
        TeacherFolder.prefix(teacher) + family.id() + "/shard-" + shard + "-" + column + ".parquet",
        List.of("id", "length", column),
        new CacheFile.Size(3, 21, 1234),
        new CacheFile.Hashes(List.of(), "ab"),
        teacher);
  }

  static CacheFile inputs(int shard) {
    return file(shard, Family.INPUTS, "id");
  }

  static CacheFile hidden(int shard) {
    return file(shard, Family.HIDDEN, "hidden_03");
  }

  /** Returns a part of some shards with 3 rows each, of which one is empty. */
  static PlanPart part(int firstShard, int shards) {
    List<Integer> numbers = IntStream.range(firstShard, firstShard + shards).boxed().toList();
    return new PlanPart(
        1024,
        numbers.stream().map(shard -> new PlanPart.Shard(shard, 3, 1, 21, "keys" + shard)).toList(),
        new PlanPart.Counts(3L * shards, 21L * shards, 1, Map.of("empty", (long) shards)),
        List.of(new CorpusFile("rows-" + firstShard + ".tsv", "ab")),
        numbers.stream().map(LayoutFixtures::inputs).toList());
  }

  static CachePlan plan(int shards) {
    return new CachePlan(
        Targets.VERSION,
        Map.of(Fingerprints.CORPUS, "ab", "corpus.max-length", "40"),
        part(0, shards),
        Map.of("config.json", "cd"),
        null);
  }

  static CachedTeacher teacher(String name) {
    return new CachedTeacher(name, Map.of(Fingerprints.TEACHER, "ef"), Map.of("config.json", "ef"));
  }
}
