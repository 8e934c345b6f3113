package io.stillhouse.jobs.plan;

import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;

/**
 * The bytes of a cache, by content.
 *
 * @param columns bytes of each column's chunks, by {@code family/column}
 * @param others bytes of footers, manifest and plan
 * @param teacher bytes of the copy of the teacher
 */
record StoredBytes(Map<String, Long> columns, long others, long teacher) {

  /** Measures a cache, or a directory with the same layout. */
  static StoredBytes of(Storage storage, Path cache) throws IOException {
    FileSystem fs = storage.fileSystem(cache);
    Map<String, Long> columns = new TreeMap<>();
    long all = 0;
    long teacher = 0;
    RemoteIterator<LocatedFileStatus> files = fs.listFiles(cache, true);
    while (files.hasNext()) {
      LocatedFileStatus file = files.next();
      String family = file.getPath().getParent().getName();
      if (family.equals(TeacherFolder.NAME)) {
        teacher += file.getLen();
        continue;
      }
      all += file.getLen();
      if (file.getPath().getName().endsWith(".parquet")) {
        addChunks(storage, file.getPath(), family, columns);
      }
    }
    long chunks = columns.values().stream().mapToLong(Long::longValue).sum();
    return new StoredBytes(columns, all - chunks, teacher);
  }

  private static void addChunks(
      Storage storage, Path file, String family, Map<String, Long> columns) throws IOException {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(file, storage.hadoop()))) {
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        for (ColumnChunkMetaData chunk : block.getColumns()) {
          columns.merge(
              family + "/" + chunk.getPath().toDotString(), chunk.getTotalSize(), Long::sum);
        }
      }
    }
  }
}
