package io.stillhouse.jobs.augment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AugmentTaskTest {
  private static final AugmentTask.Layout SINGLE =
      new AugmentTask.Layout(false, true, true, List.of());

  @TempDir private Path directory;

  private final AtomicLong done = new AtomicLong();

  @Test
  void writesOriginalsAndNumberedCopiesWithTheirLabel() throws IOException {
    List<Object[]> rows = written(SINGLE, TinyAugmentation.rows("he had"));

    assertThat(rows.get(0)).containsExactly("rows.tsv:0+0", "rows.tsv:0", "he had", "1");
    assertThat(rows.subList(1, rows.size()))
        .isNotEmpty()
        .allSatisfy(
            row -> {
              assertThat((String) row[0]).matches("rows\\.tsv:0\\+[1-5]");
              assertThat(row[1]).isEqualTo("rows.tsv:0");
              assertThat(row[3]).isEqualTo("1");
            });
  }

  @Test
  void omitsOriginalsIfRecipeSaysSo() throws IOException {
    AugmentTask.Layout copiesOnly = new AugmentTask.Layout(false, true, false, List.of());

    assertThat(written(copiesOnly, TinyAugmentation.rows("he had")))
        .isNotEmpty()
        .noneMatch(row -> row[0].equals("rows.tsv:0+0"));
  }

  @Test
  void rejectsLabelThatIsNotAmongClasses() throws IOException {
    AugmentTask.Layout classes = new AugmentTask.Layout(false, true, true, List.of("1.0", "2"));
    assertThat(written(classes, TinyAugmentation.rows("he had"))).isNotEmpty();

    AugmentTask.Layout others = new AugmentTask.Layout(false, true, true, List.of("neg", "pos"));
    AugmentTask.Layout none = new AugmentTask.Layout(false, true, true, List.of("2", "3"));
    assertThat(written(others, TinyAugmentation.rows("he had"))).isNotEmpty(); // 1 is an id
    assertThatThrownBy(() -> written(none, TinyAugmentation.rows("he had")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith(
            "the label of row 'rows.tsv:0' must be one of 2 classes, but is '1'; the classes are"
                + " [2, 3];");
  }

  @Test
  void dropsAndCountsRepeatedCopies() throws IOException {
    AugmentTask.Written written = write(SINGLE, TinyAugmentation.rows("7 ."));

    assertThat(written.counts().written()).isEqualTo(1);
    assertThat(written.counts().duplicates()).isEqualTo(5);
  }

  @Test
  void leavesOutRowsThatAreInvalidAndCountsThemByReason() throws IOException {
    List<SourceRow> rows = new ArrayList<>(TinyAugmentation.rows("", "he had", "", "was"));
    rows.add(new SourceRow("k", "", null, null, "not UTF-8"));

    AugmentTask.Written written = write(SINGLE, rows);

    assertThat(written.counts().read()).isEqualTo(5);
    assertThat(written.counts().leftOut())
        .containsEntry("empty", 2L)
        .containsEntry("not UTF-8", 1L)
        .hasSize(2);
    assertThat(done).hasValue(5);
  }

  @Test
  void namesNoFileForPartWithoutRows() throws IOException {
    assertThat(write(SINGLE, List.of()).file()).isNull();
  }

  @Test
  void returnsNoFileIfAllRowsAreSkipped() throws IOException {
    assertThat(write(SINGLE, TinyAugmentation.rows("", "")).file()).isNull();
  }

  private List<Object[]> written(AugmentTask.Layout layout, List<SourceRow> rows)
      throws IOException {
    String file = Objects.requireNonNull(write(layout, rows).file());
    Storage storage = Storage.ofThisProcess();
    return ParquetRows.read(
        HadoopInputFile.fromPath(
            new org.apache.hadoop.fs.Path(directory.resolve(file).toString()), storage.hadoop()),
        layout.columns(),
        storage.hadoop());
  }

  private AugmentTask.Written write(AugmentTask.Layout layout, List<SourceRow> rows)
      throws IOException {
    AugmentTask task =
        new AugmentTask(
            directory.toString(),
            TinyAugmentation.maskedLm(),
            TinyAugmentation.FIVE_COPIES,
            layout);
    return task.write(3, rows.iterator(), done::addAndGet);
  }
}
