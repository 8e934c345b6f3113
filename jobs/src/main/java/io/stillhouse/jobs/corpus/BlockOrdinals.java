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
 * Where the rows of each block of each file begin, counted in the file and in the corpus, whose
 * files follow each other by name. A block is what Spark reads in one go; both passes over an RDD
 * see the same ones.
 */
final class BlockOrdinals implements Serializable {
  private static final long serialVersionUID = 1L;

  /** A block of a file by Spark's name for it, a URI. */
  record Block(String filePath, long start) implements Serializable {
    static Block of(Row row) {
      return new Block(row.getString(CorpusTable.FILE), row.getLong(CorpusTable.BLOCK));
    }
  }

  /** What precedes a block. */
  record Offset(String file, long inFile, long inCorpus) implements Serializable {}

  private record Counts(long rows, long blank) implements Serializable {
    Counts plus(Counts other) {
      return new Counts(rows + other.rows, blank + other.blank);
    }
  }

  private final HashMap<Block, Offset> offsets = new HashMap<>();
  private long rowCount;
  private long blankRows;

  private BlockOrdinals() {}

  /** Reads all rows and counts them. */
  static BlockOrdinals count(JavaRDD<Row> table, CorpusFiles named) {
    List<Map<Block, Counts>> counted =
        table.mapPartitions(rows -> List.of(countBlocks(rows)).iterator()).collect();
    TreeMap<String, TreeMap<Long, Map.Entry<Block, Counts>>> files = new TreeMap<>();
    for (Map<Block, Counts> blocks : counted) {
      for (Map.Entry<Block, Counts> block : blocks.entrySet()) {
        String file = named.name(new Path(URI.create(block.getKey().filePath())));
        Object twice =
            files.computeIfAbsent(file, name -> new TreeMap<>()).put(block.getKey().start(), block);
        if (twice != null) {
          throw new IllegalStateException("Spark read " + block.getKey() + " in two partitions");
        }
      }
    }
    BlockOrdinals ordinals = new BlockOrdinals();
    files.forEach((file, blocks) -> ordinals.add(file, blocks));
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
          block + " was not counted: the file changed while it was read");
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

  private static Map<Block, Counts> countBlocks(Iterator<Row> rows) {
    HashMap<Block, Counts> counts = new HashMap<>();
    while (rows.hasNext()) {
      Row row = rows.next();
      boolean blank = Corpus.textOf(row.getString(CorpusTable.TEXT)).isEmpty();
      counts.merge(Block.of(row), new Counts(1, blank ? 1 : 0), Counts::plus);
    }
    return counts;
  }
}
