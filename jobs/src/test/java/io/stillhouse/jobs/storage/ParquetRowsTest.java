package io.stillhouse.jobs.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParquetRowsTest {
  private static final Configuration HADOOP = new Configuration();

  @TempDir private java.nio.file.Path directory;
  private Path file;

  @BeforeEach
  void namesFile() {
    file = new Path(directory.resolve("rows.parquet").toUri());
  }

  @Test
  void readsBackEveryTypeAndNull() throws IOException {
    Object[] full = {
      "a:0",
      3,
      "naïve — 話",
      "pair",
      new byte[] {1, 2, 3},
      new byte[0],
      new byte[] {-1},
      -2.5,
      "empty"
    };
    Object[] bare = {"a:1", 0, "", null, new byte[] {9}, null, null, null, null};
    write(Targets.INPUTS, Map.of(), List.of(full, bare));
    List<Object[]> rows =
        ParquetRows.read(HadoopInputFile.fromPath(file, HADOOP), Targets.INPUTS, HADOOP);
    assertThat(rows).hasSize(2);
    assertThat(rows.get(0)).isEqualTo(full);
    assertThat(rows.get(1)).isEqualTo(bare);
  }

  @Test
  void readsOnlyNamedColumns() throws IOException {
    List<Column> columns = Targets.withKey(List.of(Targets.hidden(1), Targets.hidden(3)));
    write(columns, Map.of(), List.<Object[]>of(new Object[] {"k", 1, bytes(4, 1), bytes(4, 2)}));
    List<Object[]> rows =
        ParquetRows.read(
            HadoopInputFile.fromPath(file, HADOOP), List.of(Targets.hidden(3), Targets.ID), HADOOP);
    assertThat(rows.get(0)).isEqualTo(new Object[] {bytes(4, 2), "k"});
  }

  @Test
  void readsBackMetadata() throws IOException {
    write(
        Targets.INPUTS, Map.of(Targets.META_DTYPE, "float16", Targets.META_SHARD, "7"), List.of());
    assertThat(ParquetRows.metadata(file, HADOOP))
        .containsEntry(Targets.META_DTYPE, "float16")
        .containsEntry(Targets.META_SHARD, "7");
    assertThat(ParquetRows.read(HadoopInputFile.fromPath(file, HADOOP), Targets.INPUTS, HADOOP))
        .isEmpty();
  }

  @Test
  void readsBackCellsLargerThanPage() throws IOException {
    List<Column> columns = Targets.withKey(List.of(Targets.hidden(0)));
    List<Object[]> rows = new ArrayList<>();
    for (int row = 0; row < 5; row++) {
      rows.add(new Object[] {"k" + row, row, bytes(3 << 20, row)});
    }
    write(columns, Map.of(), rows);
    List<Object[]> read = ParquetRows.read(HadoopInputFile.fromPath(file, HADOOP), columns, HADOOP);
    assertThat(read).hasSize(5);
    for (int row = 0; row < 5; row++) {
      assertThat(read.get(row)).isEqualTo(rows.get(row));
    }
  }

  @Test
  void detectsDamagedPage() throws IOException {
    List<Column> columns = Targets.withKey(List.of(Targets.hidden(0)));
    write(columns, Map.of(), List.<Object[]>of(new Object[] {"k", 1, bytes(100_000, 5)}));
    java.nio.file.Path local = directory.resolve("rows.parquet");
    Files.deleteIfExists(directory.resolve(".rows.parquet.crc"));
    byte[] all = Files.readAllBytes(local);
    all[all.length / 2] ^= 1;
    Files.write(local, all);
    assertThatThrownBy(
            () -> ParquetRows.read(HadoopInputFile.fromPath(file, HADOOP), columns, HADOOP))
        .hasStackTraceContaining("checksum");
  }

  private void write(List<Column> columns, Map<String, String> metadata, List<Object[]> rows)
      throws IOException {
    try (ParquetWriter<Object[]> writer = ParquetRows.writer(file, columns, metadata, HADOOP)) {
      for (Object[] row : rows) {
        writer.write(row);
      }
    }
  }

  private static byte[] bytes(int count, long seed) {
    byte[] bytes = new byte[count];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }
}
