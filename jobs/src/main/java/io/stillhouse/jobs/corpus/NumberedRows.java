package io.stillhouse.jobs.corpus;

import io.stillhouse.jobs.corpus.BlockOrdinals.Offset;
import io.stillhouse.jobs.corpus.read.FileRow;
import io.stillhouse.jobs.corpus.read.FileRow.Block;
import io.stillhouse.spec.CorpusSpec;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** Iterates over the rows of a partition, block by block, and assigns each its key. */
final class NumberedRows implements Iterator<SourceRow> {
  private final Iterator<FileRow> rows;
  private final BlockOrdinals ordinals;
  private final boolean ownIds;
  private final boolean paired;
  private final long limit;
  private @Nullable Block block;
  private @Nullable Offset offset;
  private long rowInBlock;
  private @Nullable SourceRow next;

  NumberedRows(
      Iterator<FileRow> rows, BlockOrdinals ordinals, CorpusSpec.Columns columns, long limit) {
    this.rows = rows;
    this.ordinals = ordinals;
    this.ownIds = columns.id() != null;
    this.paired = columns.pair() != null;
    this.limit = limit == 0 ? Long.MAX_VALUE : limit;
  }

  @Override
  public boolean hasNext() {
    while (next == null && rows.hasNext()) {
      FileRow row = rows.next();
      Offset offset = offset(row.block());
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

  /** A broken record has no id of its own. */
  private SourceRow sourceRow(FileRow row, String fileAndOrdinal) {
    FileRow.Cells cells = row.cells();
    String key = ownIds && row.problem() == null ? Corpus.textOf(cells.id()) : fileAndOrdinal;
    FileRow.Label label = cells.label();
    return new SourceRow(
        key,
        Corpus.textOf(cells.text()),
        paired ? Corpus.textOf(cells.pair()) : null,
        label == null ? null : label.text(key),
        row.problem());
  }
}
