package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.CorpusSpec.Format;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** How columns are resolved, without Spark. */
class CorpusTableTest {
  private static final StructType SCHEMA =
      new StructType()
          .add("sentence", DataTypes.StringType)
          .add("label", DataTypes.IntegerType)
          .add("tags", DataTypes.createArrayType(DataTypes.StringType))
          .add("spans", DataTypes.createArrayType(new StructType().add("x", DataTypes.LongType)))
          .add("odd`name", DataTypes.StringType);

  private final CorpusTable.Names byName = new CorpusTable.Names(SCHEMA, false, Format.JSON);
  private final CorpusTable.Names byPlace = new CorpusTable.Names(SCHEMA, true, Format.CSV);

  @Test
  void readsColumnsAsStrings() {
    assertThat(byName.column("label", "label")).hasToString("CAST(label AS STRING) AS label");
  }

  @Test
  void findsColumnsByIndexWithoutHeader() {
    assertThat(byPlace.column("0", "text"))
        .hasToString(byName.column("sentence", "text").toString());
  }

  @Test
  void readsListOfLabelsAsStrings() {
    assertThat(byName.column("tags", "label").expr().dataType())
        .isEqualTo(DataTypes.createArrayType(DataTypes.StringType));
  }

  @Test
  void unnamedColumnsAreNull() {
    assertThat(byName.column(null, "pair").toString()).containsIgnoringCase("null");
  }

  @Test
  void findsColumnWithBacktickInItsName() {
    assertThat(byName.column("odd`name", "text").toString()).contains("odd`name");
  }

  @Test
  void listsColumnsIfOneIsMissing() {
    assertMistake(
        byName,
        "text",
        "text",
        "the corpus has no column 'text' for its text; choose from [sentence, label, tags, spans,"
            + " odd`name]");
  }

  @Test
  void rejectsIndexOutOfRange() {
    assertMistake(
        byPlace,
        "5",
        "text",
        "the corpus has no column 5 for its text: it has 5 columns; choose from [0, 1, 2, 3, 4]");
  }

  @Test
  void rejectsNameWithoutHeader() {
    assertMistake(
        byPlace,
        "text",
        "text",
        "'text' cannot be the corpus's text: without a header row, columns have no names; choose"
            + " from [0, 1, 2, 3, 4], or set corpus.header=true");
  }

  @Test
  void rejectsNestedTextColumn() {
    assertMistake(
        byName,
        "tags",
        "text",
        "column 'tags' must hold single values to be the corpus's text, but is of type"
            + " array<string>; choose from [sentence, label, tags, spans, odd`name]");
  }

  @Test
  void rejectsLabelThatIsListOfStructs() {
    assertThatThrownBy(() -> byName.column("spans", "label"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("is of type array<struct<x:bigint>>");
  }

  @Test
  void rejectsColumnsOfPlainText() {
    CorpusTable.Names lines =
        new CorpusTable.Names(
            new StructType().add("value", DataTypes.StringType), false, Format.TEXT);

    assertMistake(
        lines,
        "label",
        "label",
        "the corpus has no column 'label' for its label; plain text has no columns: remove the"
            + " column settings, or change corpus.format");
  }

  private static void assertMistake(
      CorpusTable.Names names, String name, String role, String message) {
    assertThatThrownBy(() -> names.column(name, role))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }
}
