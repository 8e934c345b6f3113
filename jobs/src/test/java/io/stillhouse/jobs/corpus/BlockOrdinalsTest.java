package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.jobs.corpus.BlockOrdinals.Block;
import io.stillhouse.jobs.corpus.BlockOrdinals.Counts;
import io.stillhouse.jobs.corpus.BlockOrdinals.Offset;
import io.stillhouse.spec.CorpusSpec.Columns;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
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
    secondOfA = new Block(firstOfA.filePath(), 64);
    ofB = new Block(Files.writeString(directory.resolve("b.txt"), "x").toUri().toString(), 0);
    files = CorpusFiles.list(List.of(directory.toString()), new Configuration());
  }

  @Test
  void countsRowsAndBlankRowsOfEachBlock() {
    List<Row> rows =
        List.of(row(firstOfA, "one"), row(firstOfA, " "), row(firstOfA, null), row(ofB, "two"));

    assertThat(BlockOrdinals.countBlocks(rows.iterator()))
        .isEqualTo(Map.of(firstOfA, new Counts(3, 2), ofB, new Counts(1, 0)));
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
  void rejectsBlockInTwoPartitions() {
    List<Map<Block, Counts>> twice =
        List.of(Map.of(ofB, new Counts(1, 0)), Map.of(ofB, new Counts(1, 0)));

    assertThatThrownBy(() -> BlockOrdinals.of(twice, files))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("Spark read Block[")
        .hasMessageEndingWith("in two partitions");
  }

  @Test
  void rejectsUncountedBlock() {
    BlockOrdinals ordinals = BlockOrdinals.of(counted(), files);

    assertThatThrownBy(() -> ordinals.offset(new Block(ofB.filePath(), 64)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageEndingWith("was not counted: the file changed while it was being read");
  }

  @Test
  void numbersRowsThroughBlocksOfPartition() {
    List<Row> rows =
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
    List<Row> rows = List.of(row(secondOfA, "fifth"), row(ofB, "sixth"), row(ofB, "seventh"));

    assertThat(numbered(rows, 6)).extracting(SourceRow::key).containsExactly("a.txt:3", "b.txt:0");
  }

  private List<SourceRow> numbered(List<Row> rows, long limit) {
    List<SourceRow> numbered = new ArrayList<>();
    new NumberedRows(rows.iterator(), BlockOrdinals.of(counted(), files), Columns.LINES, limit)
        .forEachRemaining(numbered::add);
    return numbered;
  }

  /** Returns the counts of two partitions: 3 and 2 rows of the first file, 4 of the second. */
  private List<Map<Block, Counts>> counted() {
    return Arrays.asList(
        Map.of(firstOfA, new Counts(3, 2)),
        Map.of(secondOfA, new Counts(2, 0), ofB, new Counts(4, 1)));
  }

  private static Row row(Block block, String text) {
    return RowFactory.create(text, null, null, null, block.filePath(), block.start());
  }
}
