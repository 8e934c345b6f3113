package io.stillhouse.jobs.corpus;

import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.FileRow.Block;
import io.stillhouse.jobs.corpus.read.Role;
import java.io.Serializable;
import java.net.URI;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.jspecify.annotations.Nullable;

/**
 * The number of the first row of each block, counted in its file and in the corpus, in which files
 * are ordered by name. A block is a byte range of a file that is read at once; every pass over an
 * RDD reads the same blocks.
 */
final class BlockOrdinals implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * The position of a block.
   *
   * @param file name of the file
   * @param inFile number of rows before the block in its file
   * @param inCorpus number of rows before the block in the corpus
   */
  record Offset(String file, long inFile, long inCorpus) implements Serializable {}

  /** The rows of a block that are broken for one reason: their number, and the first one. */
  record Broken(long rows, long first) implements Serializable {}

  /** The numbers of rows, and of rows without text, in a block. Changes while rows are counted. */
  static final class Counts implements Serializable {
    private static final long serialVersionUID = 1L;
    private long rows;
    private long blank;
    private final Set<Role> present = EnumSet.noneOf(Role.class);
    private final HashMap<String, Broken> broken = new HashMap<>();

    void add(FileRow row) {
      FileRow.Cells cells = row.cells();
      if (row.problem() != null) {
        Broken before = broken.getOrDefault(row.problem(), new Broken(0, rows));
        broken.put(row.problem(), new Broken(before.rows() + 1, before.first()));
      } else if (Corpus.textOf(cells.text()).isEmpty()) {
        blank++;
      }
      add(Role.TEXT, cells.text());
      add(Role.PAIR, cells.pair());
      add(Role.LABEL, cells.label());
      add(Role.ID, cells.id());
      rows++;
    }

    private void add(Role role, @Nullable Object cell) {
      if (cell != null) {
        present.add(role);
      }
    }

    long rows() {
      return rows;
    }

    long blank() {
      return blank;
    }
  }

  private final HashMap<Block, Offset> offsets = new HashMap<>();
  private long rowCount;
  private long blankRows;
  private transient InvalidRows broken = InvalidRows.NONE;
  private final Set<Role> present = EnumSet.noneOf(Role.class);

  private BlockOrdinals() {}

  /** Counts the rows of every block in a Spark job. */
  static BlockOrdinals count(JavaRDD<FileRow> table, CorpusFiles files) {
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
        String file = files.name(new Path(URI.create(block.getKey().file())));
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

  /** Returns the rows that cannot be read. Only on the driver. */
  InvalidRows broken() {
    return broken;
  }

  /** Returns the roles that have a value in some row. */
  Set<Role> present() {
    return present;
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
      Counts counts = block.getValue();
      offsets.put(block.getKey(), new Offset(file, inFile, rowCount));
      for (Map.Entry<String, Broken> each : counts.broken.entrySet()) {
        broken =
            broken.plus(
                InvalidRows.of(
                    each.getKey(),
                    each.getValue().rows(),
                    file + ":" + (inFile + each.getValue().first())));
      }
      present.addAll(counts.present);
      inFile += counts.rows();
      rowCount += counts.rows();
      blankRows += counts.blank();
    }
  }

  /** Counts the rows of each block in one partition. */
  static Map<Block, Counts> countBlocks(Iterator<FileRow> rows) {
    HashMap<Block, Counts> counts = new HashMap<>();
    @Nullable Block block = null;
    Counts ofBlock = new Counts();
    while (rows.hasNext()) {
      FileRow row = rows.next();
      if (!row.block().equals(block)) {
        block = row.block();
        ofBlock = counts.computeIfAbsent(block, first -> new Counts());
      }
      ofBlock.add(row);
    }
    return counts;
  }
}
