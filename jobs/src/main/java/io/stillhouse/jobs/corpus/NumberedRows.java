package io.stillhouse.jobs.corpus;

import io.stillhouse.jobs.corpus.BlockOrdinals.Block;
import io.stillhouse.jobs.corpus.BlockOrdinals.Offset;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.text.LabelCodec;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/** Iterates over the rows of a partition, block by block, and assigns each its key. */
final class NumberedRows implements Iterator<SourceRow> {
  private final Iterator<Row> rows;
  private final BlockOrdinals ordinals;
  private final boolean ownIds;
  private final boolean paired;
  private final long limit;
  private @Nullable Block block;
  private @Nullable Offset offset;
  private long rowInBlock;
  private @Nullable SourceRow next;

  NumberedRows(Iterator<Row> rows, BlockOrdinals ordinals, CorpusSpec.Columns columns, long limit) {
    this.rows = rows;
    this.ordinals = ordinals;
    this.ownIds = columns.id() != null;
    this.paired = columns.pair() != null;
    this.limit = limit == 0 ? Long.MAX_VALUE : limit;
  }

  @Override
  public boolean hasNext() {
    while (next == null && rows.hasNext()) {
      Row row = rows.next();
      Offset offset = offset(Block.of(row));
      if (offset.inCorpus() + rowInBlock < limit) {
        next = sourceRow(row, offset.file() + ":" + (offset.inFile() + rowInBlock));
      }
      rowInBlock++;
    }
    return next != null;
  }

  /** Returns the offset of a row's block, and restarts counting when the block changes. */
  private Offset offset(Block rowBlock) {
    Offset known = offset;
    if (known == null || !rowBlock.equals(block)) {
      known = ordinals.offset(rowBlock);
      block = rowBlock;
      offset = known;
      rowInBlock = 0;
    }
    return known;
  }

  @Override
  public SourceRow next() {
    SourceRow row = hasNext() ? next : null;
    if (row == null) {
      throw new NoSuchElementException();
    }
    next = null;
    return row;
  }

  private SourceRow sourceRow(Row row, String fileAndOrdinal) {
    String key = ownIds ? Corpus.textOf(row.getString(CorpusTable.ID)) : fileAndOrdinal;
    return new SourceRow(
        key,
        Corpus.textOf(row.getString(CorpusTable.TEXT)),
        paired ? Corpus.textOf(row.getString(CorpusTable.PAIR)) : null,
        label(row, key));
  }

  private static @Nullable String label(Row row, String key) {
    return row.get(CorpusTable.LABEL) instanceof String || row.isNullAt(CorpusTable.LABEL)
        ? row.getString(CorpusTable.LABEL)
        : LabelCodec.join(row.getList(CorpusTable.LABEL), key);
  }
}
