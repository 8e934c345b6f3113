package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.cache.layout.ManifestChange;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.parquet.hadoop.ParquetWriter;
import org.jspecify.annotations.Nullable;

/** Writes caches of one shard without Spark: rows and teacher are real, targets exist by name. */
public final class OneShardCache {
  private static final Storage STORAGE = Storage.ofThisProcess();

  private OneShardCache() {}

  /** Returns a row with the given label, or without one. */
  public static InputRow row(String id, String text, @Nullable Double label) {
    int[] ids = {2, 5, 3};
    return new InputRow(id, text, null, new InputRow.Tokens(ids, new int[3], null), label, null);
  }

  /** Writes a cache of float32 targets. */
  public static Path write(Path cache, Path teacher, List<InputRow> rows, Column... targets)
      throws IOException {
    Tiny.copy(teacher, cache.resolve(TeacherFolder.NAME));
    CachePlan plan =
        new CachePlan(
            Targets.VERSION,
            Map.of("targets.dtype", "float32"),
            new PlanPart(
                1024,
                List.of(new PlanPart.Shard(0, rows.size(), 0, tokens(rows), "keys")),
                new PlanPart.Counts(rows.size(), tokens(rows), 0, Map.of()),
                List.of(new CorpusFile("rows.tsv", "ab")),
                List.of(inputs(cache, rows))),
            Fingerprints.directory(STORAGE, cache.resolve(TeacherFolder.NAME)),
            null);
    ManifestLog manifest = ManifestLog.read(STORAGE, hadoop(cache));
    manifest.append(new ManifestChange.PlanAdded(plan));
    STORAGE.writeText(new org.apache.hadoop.fs.Path(hadoop(cache), CachePlan.FILE), plan.toJson());
    List<CacheFile> files = new ArrayList<>();
    for (Column column : targets) {
      files.add(LocalCache.file(0, column.family(), column.name()));
    }
    manifest.append(new ManifestChange.FilesAdded(files, List.of()));
    return cache;
  }

  private static CacheFile inputs(Path cache, List<InputRow> rows) throws IOException {
    String name = "inputs/shard-000000-00000000.parquet";
    org.apache.hadoop.fs.Path file = new org.apache.hadoop.fs.Path(hadoop(cache), name);
    try (ParquetWriter<Object[]> writer =
        ParquetRows.writer(file, Targets.INPUTS, Map.of(), STORAGE.hadoop())) {
      for (InputRow row : rows) {
        writer.write(row.values());
      }
    }
    return new CacheFile(
        0,
        Family.INPUTS.id(),
        name,
        Targets.INPUTS.stream().map(Column::name).toList(),
        new CacheFile.Size(rows.size(), tokens(rows), STORAGE.bytes(file)),
        CheckedFile.hash(STORAGE, file),
        "");
  }

  private static long tokens(List<InputRow> rows) {
    return rows.stream().mapToLong(InputRow::length).sum();
  }

  private static org.apache.hadoop.fs.Path hadoop(Path path) {
    return CacheRows.hadoop(path);
  }
}
