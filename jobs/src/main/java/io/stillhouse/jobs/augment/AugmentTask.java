package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
import io.stillhouse.text.LabelCodec;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.LongConsumer;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetWriter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the copies of a part's rows in a task. Every attempt writes its own file.
 *
 * @param directory directory of unfinished files
 * @param augmentation how copies are made
 * @param draws number of copies, and the seed
 * @param layout columns of the written rows
 */
record AugmentTask(
    String directory, Augmentation augmentation, Augmentation.Draws draws, Layout layout)
    implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(AugmentTask.class);

  /** Suffix of the id of an original row. */
  private static final String ORIGINAL = "+0";

  /** Why a row with text has no copies. */
  static final String NOT_FINITE = "the masked LM's output is not finite";

  /**
   * The columns to write.
   *
   * @param keepOriginals whether original rows are written, too
   * @param classes the classes of labels; empty if any label is written
   */
  record Layout(boolean paired, boolean labelled, boolean keepOriginals, List<String> classes)
      implements Serializable {
    List<Column> columns() {
      List<Column> columns = new ArrayList<>();
      columns.add(
          column("id", "The origin's key, '+' and the number of the copy; 0 is the original row."));
      columns.add(column("origin", "Key of the original row."));
      columns.add(Targets.TEXT);
      if (paired) {
        columns.add(Targets.PAIR);
      }
      if (labelled) {
        columns.add(column("label", "Label of the original row, as written in the corpus."));
      }
      return columns;
    }

    private static Column column(String name, String doc) {
      return new Column(name, Family.INPUTS, Column.Type.STRING, doc);
    }
  }

  /**
   * The result of an attempt.
   *
   * @param file name of the file; null if no rows were written
   */
  record Written(int part, @Nullable String file, RowCounts counts) implements Serializable {}

  /**
   * Writes the copies of a part's rows.
   *
   * @param rows sorted by their keys, so that batches do not depend on the partitioning
   * @param done receives the number of rows read so far, in increments
   */
  Written write(int part, Iterator<SourceRow> rows, LongConsumer done) throws IOException {
    if (!rows.hasNext()) {
      return new Written(part, null, RowCounts.NONE);
    }
    long start = System.nanoTime();
    Storage storage = Storage.ofThisProcess();
    String name = format("part-%05d-%s", part, UUID.randomUUID().toString().substring(0, 8));
    LOG.info("Augmenting part {} into {}/{}", part, directory, name);
    Augmentation.Augmenter augmenter = augmentation.open(draws);
    LabelCodec labels = layout.classes().isEmpty() ? null : LabelCodec.ofNames(layout.classes());
    RowCounts counts = RowCounts.NONE;
    try (ParquetWriter<Object[]> out =
        ParquetRows.writer(
            new Path(directory, name), layout.columns(), Map.of(), storage.hadoop())) {
      while (rows.hasNext()) {
        RowCounts batch = writeBatch(rows, augmenter, labels, out);
        counts = counts.plus(batch);
        done.accept(batch.read());
      }
    }
    LOG.info(
        "Augmented part {}: {} rows read, {} left out, {} rows written in {} s",
        part,
        counts.read(),
        counts.leftOutRows(),
        counts.written(),
        (System.nanoTime() - start) / 1_000_000_000);
    return new Written(part, counts.written() == 0 ? null : name, counts);
  }

  private RowCounts writeBatch(
      Iterator<SourceRow> rows,
      Augmentation.Augmenter augmenter,
      @Nullable LabelCodec labels,
      ParquetWriter<Object[]> out)
      throws IOException {
    List<SourceRow> batch = new ArrayList<>();
    RowCounts counts = RowCounts.NONE;
    while (rows.hasNext() && batch.size() < augmentation.rowsAtOnce()) {
      SourceRow row = rows.next();
      String reason = reasonLeftOut(row);
      if (reason == null) {
        if (labels != null) {
          LabelCodec.split(row.label()).forEach(label -> labels.encode(label, row.key()));
        }
        batch.add(row);
      } else {
        counts = counts.plus(RowCounts.leftOut(reason, row.key()));
      }
    }
    List<Augmentation.@Nullable Copies> copies = augmenter.of(batch);
    for (int row = 0; row < batch.size(); row++) {
      Augmentation.Copies own = copies.get(row);
      counts =
          counts.plus(
              own == null
                  ? RowCounts.leftOut(NOT_FINITE, batch.get(row).key())
                  : write(batch.get(row), own, out));
    }
    return counts;
  }

  /** Returns why a row has no copies, or null if it has some. */
  static @Nullable String reasonLeftOut(SourceRow row) {
    if (row.problem() != null) {
      return row.problem();
    }
    return row.text().isEmpty() ? InvalidRows.EMPTY : null;
  }

  private RowCounts write(SourceRow row, Augmentation.Copies copies, ParquetWriter<Object[]> out)
      throws IOException {
    Augmentation.Texts original = Augmentation.Texts.of(row);
    Set<Augmentation.Texts> seen = new HashSet<>(Set.of(original));
    long written = 0;
    if (layout.keepOriginals()) {
      out.write(values(row, ORIGINAL, original));
      written++;
    }
    long duplicates = 0;
    for (int copy = 0; copy < copies.texts().size(); copy++) {
      Augmentation.Texts texts = copies.texts().get(copy);
      if (seen.add(texts)) {
        out.write(values(row, "+" + (copy + 1), texts));
        written++;
      } else {
        duplicates++;
      }
    }
    return new RowCounts(
        1,
        InvalidRows.NONE,
        written,
        duplicates,
        copies.words(),
        copies.replaced(),
        copies.maskedWords());
  }

  private Object[] values(SourceRow row, String number, Augmentation.Texts texts) {
    List<Object> values = new ArrayList<>(List.of(row.key() + number, row.key(), texts.text()));
    if (layout.paired()) {
      values.add(texts.pair());
    }
    if (layout.labelled()) {
      values.add(row.label());
    }
    return values.toArray();
  }
}
