package io.stillhouse.jobs.report;

import io.stillhouse.jobs.cache.check.Fidelity;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a cache holds.
 *
 * @param rowsOf which rows it has: of training or held out
 * @param rows numbers of rows and tokens
 * @param families bytes of each family's files
 * @param columns the columns, without the row keys and lengths
 * @param fingerprints what its bytes depend on, by name
 * @param files the names of the files of text
 * @param checks what was found damaged and repaired
 */
record CacheContents(
    String rowsOf,
    Rows rows,
    Map<String, Long> families,
    List<Column> columns,
    Map<String, String> fingerprints,
    List<String> files,
    Checks checks) {

  /**
   * The rows.
   *
   * @param invalid rows without targets
   */
  record Rows(String path, long rows, long tokens, int shards, long invalid) {}

  /**
   * A column.
   *
   * @param name its name, after the name of its teacher if that is not the first one
   * @param bytes compressed bytes in all shards; for a derived column, 0
   * @param fidelity errors against the live teacher; null if verify has not compared it
   */
  record Column(String family, String name, long bytes, Fidelity.@Nullable ColumnError fidelity) {}

  /**
   * Checks and repairs.
   *
   * @param verified whether verify has checked it
   * @param sound whether that check found it complete, undamaged and faithful
   * @param revoked files that were damaged and given up so far
   * @param lostEntries entries of the manifest that were damaged and given up so far
   * @param droppedShards shards whose targets were dropped after every student had read them
   * @param missingShards shards that have no targets yet
   */
  record Checks(
      boolean verified,
      boolean sound,
      int revoked,
      int lostEntries,
      int droppedShards,
      int missingShards) {}

  /** Reads the manifest of a cache, and the result of verify. */
  static CacheContents of(Storage storage, Path cache, String rowsOf) throws IOException {
    CachePlan plan = CachePlan.read(storage, cache);
    ManifestLog manifest = ManifestLog.readUndamaged(storage, cache);
    CacheState state = manifest.state();
    VerifyJob.Result verified = VerifyJob.last(storage, cache).orElse(null);
    long invalid = plan.shards().stream().mapToLong(shard -> shard.invalid()).sum();
    Set<Integer> withTargets =
        state.files().stream()
            .filter(file -> !file.family().equals("inputs"))
            .map(CacheFile::shard)
            .collect(Collectors.toSet());
    long missing =
        plan.shards().stream()
            .map(PlanPart.Shard::shard)
            .filter(shard -> !state.isDropped(shard) && !withTargets.contains(shard))
            .count();
    return new CacheContents(
        rowsOf,
        new Rows(
            cache.toString(),
            plan.corpus().rows(),
            plan.corpus().tokens(),
            plan.shards().size(),
            invalid + state.invalidRows("")),
        families(state),
        columns(state, verified),
        plan.fingerprints(),
        plan.corpusFiles().stream().map(file -> file.name()).toList(),
        new Checks(
            verified != null,
            verified != null && verified.isSound(),
            state.revoked().files(),
            state.revoked().entries(),
            state.dropped().size(),
            (int) missing));
  }

  private static Map<String, Long> families(CacheState state) {
    Map<String, Long> families = new LinkedHashMap<>();
    for (CacheFile file : state.files()) {
      families.merge(file.family(), file.size().bytes(), Long::sum);
    }
    return families;
  }

  private static List<Column> columns(CacheState state, VerifyJob.@Nullable Result verified) {
    Map<String, Long> bytes = new TreeMap<>();
    Map<String, String> families = new TreeMap<>();
    for (CacheFile file : state.files()) {
      for (CacheFile.Chunk chunk : file.hashes().chunks()) {
        if (!chunk.column().equals("id") && !chunk.column().equals("length")) {
          String name =
              file.teacher().isEmpty() ? chunk.column() : file.teacher() + "/" + chunk.column();
          bytes.merge(name, chunk.bytes(), Long::sum);
          families.put(name, file.family());
        }
      }
    }
    Map<String, Fidelity.ColumnError> errors =
        new TreeMap<>(verified == null ? Map.of() : verified.fidelity());
    List<Column> columns = new ArrayList<>();
    bytes.forEach(
        (name, size) ->
            columns.add(
                new Column(families.getOrDefault(name, ""), name, size, errors.remove(name))));
    errors.forEach((name, error) -> columns.add(new Column("derived", name, 0, error)));
    columns.sort(
        (a, b) ->
            a.family().equals(b.family())
                ? a.name().compareTo(b.name())
                : a.family().compareTo(b.family()));
    return columns;
  }

  long bytes() {
    return families.values().stream().mapToLong(Long::longValue).sum();
  }
}
