package io.stillhouse.jobs.augment;

import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Column;
import io.stillhouse.target.Family;
import io.stillhouse.target.Targets;
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

/**
 * Writes the copies of a part's rows, inside a task, under a name that no other attempt has.
 *
 * @param directory of unfinished files
 * @param augmentation how copies are made
 * @param draws how many, and from which seed
 * @param layout of the rows
 */
record AugmentTask(
    String directory, Augmentation augmentation, Augmentation.Draws draws, Layout layout)
    implements Serializable {
  private static final String ORIGINAL = "+0";

  /** Which columns there are, and whether the rows themselves are kept. */
  record Layout(boolean paired, boolean labelled, boolean keepOriginals) implements Serializable {
    List<Column> columns() {
      List<Column> columns = new ArrayList<>();
      columns.add(
          column("id", "The origin's key, '+' and the number of the copy; 0 is the row itself."));
      columns.add(column("origin", "Key of the row that this is a copy of."));
      columns.add(Targets.TEXT);
      if (paired) {
        columns.add(Targets.PAIR);
      }
      if (labelled) {
        columns.add(column("label", "The origin's label, as it stands there."));
      }
      return columns;
    }

    private static Column column(String name, String doc) {
      return new Column(name, Family.INPUTS, Column.Type.STRING, doc);
    }
  }

  /** What an attempt leaves: a file, or null where it has no rows. */
  record Written(int part, @Nullable String file, Tally tally) implements Serializable {}

  /**
   * @param rows in the order of their keys, which alone decides what is computed together
   */
  Written write(int part, Iterator<SourceRow> rows, LongConsumer done) throws IOException {
    if (!rows.hasNext()) {
      return new Written(part, null, Tally.NOTHING);
    }
    Storage storage = Storage.ofThisProcess();
    String name = "part-%05d-%s".formatted(part, UUID.randomUUID().toString().substring(0, 8));
    Augmentation.Augmenter augmenter = augmentation.open(draws);
    Tally tally = Tally.NOTHING;
    try (ParquetWriter<Object[]> out =
        ParquetRows.writer(
            new Path(directory, name), layout.columns(), Map.of(), storage.hadoop())) {
      while (rows.hasNext()) {
        List<SourceRow> some = new ArrayList<>();
        int read = 0;
        for (; rows.hasNext() && some.size() < augmentation.rowsAtOnce(); read++) {
          SourceRow row = rows.next();
          String problem = problem(row);
          if (problem == null) {
            some.add(row);
          } else {
            tally = tally.plus(Tally.leftOut(problem));
          }
        }
        List<Augmentation.Copies> copies = augmenter.of(some);
        for (int row = 0; row < some.size(); row++) {
          tally = tally.plus(write(some.get(row), copies.get(row), out));
        }
        done.accept(read);
      }
    }
    return new Written(part, tally.written() == 0 ? null : name, tally);
  }

  /** Returns why a row has no copies, or null. */
  static @Nullable String problem(SourceRow row) {
    if (broken(row.text()) || row.pair() != null && broken(row.pair())) {
      return "not UTF-8";
    }
    return row.text().isEmpty() ? "empty" : null;
  }

  /** Spark reads bytes that are not UTF-8 as the replacement character. */
  private static boolean broken(String text) {
    return text.indexOf('\uFFFD') >= 0;
  }

  private Tally write(SourceRow row, Augmentation.Copies copies, ParquetWriter<Object[]> out)
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
    return new Tally(
        1, Map.of(), written, duplicates, copies.words(), copies.replaced(), copies.computed());
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
