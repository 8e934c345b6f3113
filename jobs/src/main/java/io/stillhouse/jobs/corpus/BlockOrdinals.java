package io.stillhouse.jobs.corpus;

import java.io.Serializable;
import java.net.URI;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Row;

/**
 * The number of the first row of each block, counted in its file and in the corpus, in which files
 * are ordered by name. A block is the byte range of a file that Spark reads at once; every pass
 * over an RDD reads the same blocks.
 */
final class BlockOrdinals implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * A block of a file.
   *
   * @param filePath the URI by which Spark names the file
   * @param start first byte of the block
   */
  record Block(String filePath, long start) implements Serializable {
    static Block of(Row row) {
      return new Block(row.getString(CorpusTable.FILE), row.getLong(CorpusTable.BLOCK));
    }
  }

  /**
   * The position of a block.
   *
   * @param file name of the file
   * @param inFile number of rows before the block in its file
   * @param inCorpus number of rows before the block in the corpus
   */
  record Offset(String file, long inFile, long inCorpus) implements Serializable {}

  /** The numbers of rows, and of rows without text, in a block. */
  record Counts(long rows, long blank) implements Serializable {
    Counts plus(Counts other) {
      return new Counts(rows + other.rows, blank + other.blank);
    }
  }

  private final HashMap<Block, Offset> offsets = new HashMap<>();
  private long rowCount;
  private long blankRows;

  private BlockOrdinals() {}

  /** Counts the rows of every block in a Spark job. */
  static BlockOrdinals count(JavaRDD<Row> table, CorpusFiles files) {
    return of(table.mapPartitions(rows -> List.of(countBlocks(rows)).iterator()).collect(), files);
  }

  /**
   * Combines the counts of partitions.
   *
   * @param counted counts of the blocks of each partition
   */
  static BlockOrdinals of(List<Map<Block, Counts>> counted, CorpusFiles files) {
    TreeMap<String, TreeMap<Long, Map.Entry<Block, Counts>>> byFile = new TreeMap<>();
    for (Map<Block, Counts> blocks : counted) {
      for (Map.Entry<Block, Counts> block : blocks.entrySet()) {
        String file = files.name(new Path(URI.create(block.getKey().filePath())));
        Object duplicate =
            byFile
                .computeIfAbsent(file, name -> new TreeMap<>())
                .put(block.getKey().start(), block);
        if (duplicate != null) {
          throw new IllegalStateException("Spark read " + block.getKey() + " in two partitions");
        }
      }
    }
    BlockOrdinals ordinals = new BlockOrdinals();
    byFile.forEach(ordinals::add);
    return ordinals;
  }

  long rowCount() {
    return rowCount;
  }

  long blankRows() {
    return blankRows;
  }

  Offset offset(Block block) {
    Offset offset = offsets.get(block);
    if (offset == null) {
      throw new IllegalStateException(
          block + " was not counted: the file changed while it was being read");
    }
    return offset;
  }

  private void add(String file, SortedMap<Long, Map.Entry<Block, Counts>> blocks) {
    long inFile = 0;
    for (Map.Entry<Block, Counts> block : blocks.values()) {
      offsets.put(block.getKey(), new Offset(file, inFile, rowCount));
      inFile += block.getValue().rows();
      rowCount += block.getValue().rows();
      blankRows += block.getValue().blank();
    }
  }

  /** Counts the rows of each block in one partition. */
  static Map<Block, Counts> countBlocks(Iterator<Row> rows) {
    HashMap<Block, Counts> counts = new HashMap<>();
    while (rows.hasNext()) {
      Row row = rows.next();
      boolean blank = Corpus.textOf(row.getString(CorpusTable.TEXT)).isEmpty();
      counts.merge(Block.of(row), new Counts(1, blank ? 1 : 0), Counts::plus);
    }
    return counts;
  }
}
