package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.corpus.ColumnNames.Place;
import io.stillhouse.jobs.corpus.read.Role;
import io.stillhouse.spec.CorpusSpec.Format;
import java.util.List;
import org.junit.jupiter.api.Test;

class ColumnNamesTest {
  private static final List<String> COLUMNS = List.of("sentence", "label", "Label", "x", "x");

  private final ColumnNames byName = new ColumnNames(Format.CSV, COLUMNS, List.of("split"), false);
  private final ColumnNames byIndex = new ColumnNames(Format.CSV, COLUMNS, List.of("split"), true);

  @Test
  void comparesNamesExactly() {
    assertThat(byName.find("Label", Role.LABEL)).isEqualTo(new Place("Label", 2, false));
    assertThat(byName.find("label", Role.LABEL)).isEqualTo(new Place("label", 1, false));
  }

  @Test
  void findsColumnsOfDirectories() {
    assertThat(byName.find("split", Role.LABEL)).isEqualTo(new Place("split", 0, true));
    assertThat(byIndex.find("5", Role.LABEL)).isEqualTo(new Place("split", 0, true));
    assertThat(byIndex.find("split", Role.LABEL)).isEqualTo(new Place("split", 0, true));
  }

  @Test
  void findsColumnsByTheirIndexWithoutHeader() {
    assertThat(byIndex.find("4", Role.TEXT)).isEqualTo(new Place("4", 4, false));
  }

  @Test
  void namesOtherSeparatorOfCsv() {
    assertThat(csv("text;label").choices()).contains("semicolons: save it with commas");
    assertThat(csv("text\tlabel").choices()).contains("tabs: set corpus.format=tsv");
    assertThat(csv("text").choices()).isEqualTo("choose from [text]");
  }

  private static ColumnNames csv(String header) {
    return new ColumnNames(Format.CSV, List.of(header), List.of(), false);
  }

  @Test
  void rejectsNameThatTwoColumnsHave() {
    assertMistake(
        byName,
        "x",
        "2 columns of the corpus have the name 'x'; give each column a name of its own");
  }

  @Test
  void rejectsColumnInFilesAndDirectories() {
    assertMistake(
        new ColumnNames(Format.CSV, List.of("text"), List.of("text"), false),
        "text",
        "column 'text' of the corpus is in its files and in the names of its directories; rename"
            + " one of them");
  }

  @Test
  void listsColumnsIfOneIsMissing() {
    assertMistake(
        byName,
        "text",
        "the corpus has no column 'text' for its text; choose from [sentence, label, Label, x, x,"
            + " split]");
  }

  @Test
  void rejectsIndexBeyondColumns() {
    assertMistake(
        byIndex,
        "6",
        "the corpus has no column 6 for its text: it has 6 columns; choose from [0, 1, 2, 3, 4,"
            + " 5]");
  }

  @Test
  void rejectsNameWithoutHeader() {
    assertMistake(
        byIndex,
        "sentence",
        "'sentence' cannot be the corpus's text: without a header row, columns have no names;"
            + " choose from [0, 1, 2, 3, 4, 5], or set corpus.header=true");
  }

  @Test
  void rejectsColumnsOfPlainText() {
    assertMistake(
        new ColumnNames(Format.TEXT, List.of("value"), List.of(), false),
        "label",
        "the corpus has no column 'label' for its text; plain text has no columns: remove the"
            + " column settings, or change corpus.format");
  }

  private static void assertMistake(ColumnNames names, String name, String message) {
    assertThatThrownBy(() -> names.find(name, Role.TEXT))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }
}
