package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("spark")
class TableSplitTest extends DistillFixture {
  @Test
  void rowsWithoutLabelAreTextForTeacher() throws IOException {
    Files.writeString(table, Files.readString(table) + "he in the\t\nwith of\t \n");
    Path more = Files.writeString(directory.resolve("more.csv"), "text\nbing wed\n");

    TableSplit.Result split = split("corpus.unlabelled=" + more);

    assertThat(split.rows().unlabelled()).isEqualTo(3);
    assertThat(split.rows().train() + split.rows().validation() + split.rows().repeated())
        .isEqualTo(120);
  }

  @Test
  void holdsOutSameShareOfEachClassAndNoTextTwice() throws IOException {
    StringBuilder rows = new StringBuilder("text\tlabel\n");
    for (int row = 0; row < 400; row++) {
      rows.append(format("text %d\t%s\n", row % 390, row % 4 == 0 ? "rare" : "common"));
    }
    Files.writeString(table, rows.append("one\tonce\n"));

    TableSplit.Result split = split();

    List<Row> heldOut = rows("validation");
    assertThat(heldOut).hasSize((int) split.rows().validation()).hasSizeBetween(195, 205);
    assertThat(heldOut.stream().filter(row -> row.getString(3).equals("rare")).count())
        .isEqualTo(50);
    assertThat(split.classes()).containsOnlyKeys("common", "once", "rare");
    Set<String> trained =
        rows("train").stream().map(row -> row.getString(1)).collect(Collectors.toSet());
    assertThat(heldOut).noneMatch(row -> trained.contains(row.getString(1)));
  }

  @Test
  void namesColumnsOfTableThatIsNotObvious() throws IOException {
    Files.writeString(table, "a\tb\tc\n1\t2\t3\n");

    assertThatThrownBy(() -> split())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has the columns [a, b, c]")
        .hasMessageContaining("set corpus.text and corpus.label");
  }

  @Test
  void findsLabelOfTwoColumnsByItsValues() throws IOException {
    Files.writeString(table, Files.readString(table).replace("text\tlabel", "a\tb"));

    assertThat(split().columns()).isEqualTo(new TableColumns("a", "", "b"));
  }

  @Test
  void rejectsTableOfOneColumn() throws IOException {
    Files.writeString(table, "text;label\na;yes\n");

    assertThatThrownBy(() -> split())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has only one column, [text;label]; write a text and a label column");
  }

  @Test
  void classWhoseHeldOutTextsAreAllOfItsTextsIsTrainedOn() throws IOException {
    Files.writeString(table, Files.readString(table) + "the same\trare\nThe  same\trare\n");

    TableSplit.Result split = split();

    assertThat(split.classes()).containsEntry("rare", 2L);
    assertThat(rows("validation")).noneMatch(row -> row.getString(3).equals("rare"));
  }

  @Test
  void labelsOfOnlyHeldOutRowsAreTrainedOn() throws IOException {
    StringBuilder rows = new StringBuilder("text\tlabel\n");
    for (int row = 0; row < 60; row++) {
      rows.append(format("text %d\tcommon|only %d\n", row, row));
    }
    Files.writeString(table, rows);

    assertThatThrownBy(() -> split("finetune.task=multi-label"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("no row can be held out");

    Files.writeString(table, rows.append("a\tcommon\nb\tcommon\nc\tcommon\nd\tcommon\n"));
    TableSplit.Result split = split("finetune.task=multi-label", "train.seed=2");
    assertThat(split.classes()).hasSize(61);
    assertThat(rows("validation")).allMatch(row -> row.getString(3).equals("common"));
  }

  @Test
  void rejectsLabelsWithBarsUnlessTaskIsSet() throws IOException {
    Files.writeString(table, Files.readString(table).replace("yes", "joy|fun"));

    assertThatThrownBy(() -> split())
        .hasMessageContaining("column 'label' holds labels with vertical bars, such as 'joy|fun'")
        .hasMessageContaining("set finetune.task=multi-label");
    assertThat(split("finetune.task=classification").classes()).containsOnlyKeys("joy|fun", "no");
  }

  @Test
  void countsHeldOutRowsWithoutLabel() throws IOException {
    Path heldOut = Files.writeString(directory.resolve("dev.tsv"), "text\tlabel\nx\tyes\ny\t\n");

    assertThatThrownBy(() -> split("distill.validation=" + heldOut))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("1 of 2 rows are invalid")
        .hasMessageContaining("no label (1, such as row 'dev.tsv:1')");
    assertThat(split("distill.validation=" + heldOut, "corpus.max-invalid=0.5").leftOut())
        .containsExactly(
            "held-out rows: left out 1 of 2 rows: no label (1, such as row 'dev.tsv:1')");
  }

  @Test
  void rejectsHeldOutRowsOfUnknownClass() throws IOException {
    Path heldOut = Files.writeString(directory.resolve("dev.tsv"), "text\tlabel\nx\tmaybe\n");

    assertThatThrownBy(() -> split("distill.validation=" + heldOut))
        .hasMessageContaining("rows with 1 labels that no training row has, such as 'maybe'");
  }

  @Test
  void rejectsTableThatHasChanged() throws IOException {
    split();
    assertThat(split().rows().validation()).isPositive();

    Files.writeString(table, Files.readString(table) + "he\tyes\n");

    assertThatThrownBy(() -> split())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("have changed since")
        .hasMessageContaining("such as 'table.tsv'")
        .hasMessageContaining("restore them, or use another directory");
  }

  @Test
  void namesSettingOfFilesWithoutTextColumn() throws IOException {
    Path more = Files.writeString(directory.resolve("more.csv"), "txt\nhe\n");

    assertThatThrownBy(() -> split("corpus.unlabelled=" + more))
        .hasMessageContaining(
            "in the files of corpus.unlabelled: the corpus has no column 'text' for its text")
        .hasMessageContaining("choose from [txt]");
  }
}
