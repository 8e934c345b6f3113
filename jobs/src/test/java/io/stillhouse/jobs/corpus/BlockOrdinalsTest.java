package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.jobs.corpus.BlockOrdinals.Counts;
import io.stillhouse.jobs.corpus.BlockOrdinals.Offset;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.FileRow.Block;
import io.stillhouse.spec.CorpusSpec.Columns;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two files, the first of which has two blocks. */
class BlockOrdinalsTest {
  @TempDir private Path directory;
  private CorpusFiles files;
  private Block firstOfA;
  private Block secondOfA;
  private Block ofB;

  @BeforeEach
  void writeFiles() throws IOException {
    firstOfA = new Block(Files.writeString(directory.resolve("a.txt"), "x").toUri().toString(), 0);
    secondOfA = new Block(firstOfA.file(), 64);
    ofB = new Block(Files.writeString(directory.resolve("b.txt"), "x").toUri().toString(), 0);
    files = CorpusFiles.list(List.of(directory.toString()), new Configuration());
  }

  @Test
  void countsRowsAndBlankRowsOfEachBlock() {
    List<FileRow> rows =
        List.of(row(firstOfA, "one"), row(firstOfA, " "), row(firstOfA, null), row(ofB, "two"));

    Map<Block, Counts> counts = BlockOrdinals.countBlocks(rows.iterator());

    assertThat(counts).containsOnlyKeys(firstOfA, ofB);
    assertThat(counts.get(firstOfA).rows()).isEqualTo(3);
    assertThat(counts.get(firstOfA).blank()).isEqualTo(2);
    assertThat(counts.get(ofB).rows()).isEqualTo(1);
    assertThat(counts.get(ofB).blank()).isZero();
  }

  @Test
  void offsetsDoNotDependOnOrderOfPartitions() {
    for (List<Map<Block, Counts>> partitions :
        List.of(counted(), List.of(counted().get(1), counted().get(0)))) {
      BlockOrdinals ordinals = BlockOrdinals.of(partitions, files);

      assertThat(ordinals.offset(firstOfA)).isEqualTo(new Offset("a.txt", 0, 0));
      assertThat(ordinals.offset(secondOfA)).isEqualTo(new Offset("a.txt", 3, 3));
      assertThat(ordinals.offset(ofB)).isEqualTo(new Offset("b.txt", 0, 5));
    }
  }

  @Test
  void addsUpRowsAndBlankRows() {
    BlockOrdinals ordinals = BlockOrdinals.of(counted(), files);

    assertThat(ordinals.rowCount()).isEqualTo(9);
    assertThat(ordinals.blankRows()).isEqualTo(3);
  }

  @Test
  void numbersBrokenRowsInTheirFile() {
    Counts first = counts(2, 0);
    Counts second = counts(1, 0);
    second.add(FileRow.broken(secondOfA, "odd"));
    second.add(FileRow.broken(secondOfA, "odd"));

    BlockOrdinals ordinals =
        BlockOrdinals.of(List.of(Map.of(secondOfA, second), Map.of(firstOfA, first)), files);

    assertThat(ordinals.broken()).isEqualTo(InvalidRows.of("odd", 2, "a.txt:3"));
  }

  @Test
  void rejectsBlockInTwoPartitions() {
    List<Map<Block, Counts>> twice = List.of(Map.of(ofB, counts(1, 0)), Map.of(ofB, counts(1, 0)));

    assertThatThrownBy(() -> BlockOrdinals.of(twice, files))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("Spark read Block[")
        .hasMessageEndingWith("in two partitions");
  }

  @Test
  void rejectsUncountedBlock() {
    BlockOrdinals ordinals = BlockOrdinals.of(counted(), files);

    assertThatThrownBy(() -> ordinals.offset(new Block(ofB.file(), 64)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageEndingWith("was not counted: the file changed while it was being read");
  }

  @Test
  void numbersRowsThroughBlocksOfPartition() {
    List<FileRow> rows =
        List.of(
            row(secondOfA, "fourth"), row(secondOfA, "fifth"), row(ofB, "sixth"), row(ofB, null));

    assertThat(numbered(rows, 0))
        .containsExactly(
            new SourceRow("a.txt:3", "fourth", null, null),
            new SourceRow("a.txt:4", "fifth", null, null),
            new SourceRow("b.txt:0", "sixth", null, null),
            new SourceRow("b.txt:1", "", null, null));
  }

  @Test
  void omitsRowsBeyondLimitOfCorpus() {
    List<FileRow> rows = List.of(row(secondOfA, "fifth"), row(ofB, "sixth"), row(ofB, "seventh"));

    assertThat(numbered(rows, 6)).extracting(SourceRow::key).containsExactly("a.txt:3", "b.txt:0");
  }

  private List<SourceRow> numbered(List<FileRow> rows, long limit) {
    List<SourceRow> numbered = new ArrayList<>();
    new NumberedRows(rows.iterator(), BlockOrdinals.of(counted(), files), Columns.LINES, limit)
        .forEachRemaining(numbered::add);
    return numbered;
  }

  /** Returns the counts of two partitions: 3 and 2 rows of the first file, 4 of the second. */
  private List<Map<Block, Counts>> counted() {
    return Arrays.asList(
        Map.of(firstOfA, counts(3, 2)), Map.of(secondOfA, counts(2, 0), ofB, counts(4, 1)));
  }

  private Counts counts(int rows, int blank) {
    Counts counts = new Counts();
    for (int at = 0; at < rows; at++) {
      counts.add(row(ofB, at < blank ? " " : "x"));
    }
    return counts;
  }

  private static FileRow row(Block block, String text) {
    return FileRow.of(block, new FileRow.Cells(text, null, null, null));
  }
}
