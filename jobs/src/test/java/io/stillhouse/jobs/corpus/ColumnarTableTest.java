package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Columns;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Parquet and ORC files, read as a corpus. */
@Tag("spark")
class ColumnarTableTest {
  private static final String NANOS =
      "message m { required binary text (UTF8); optional int64 at (TIMESTAMP(NANOS,false)); }";

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void ignoresTypesOfColumnsThatNobodyAskedFor() throws IOException {
    write("a.parquet", NANOS, row -> row.append("text", "he had").append("at", 7L));

    assertThat(rows(new Columns("text", null, null, null)))
        .containsExactly(new SourceRow("a.parquet:0", "he had", null, null));
  }

  @Test
  void rejectsWantedColumnThatSparkCannotRead() throws IOException {
    write("a.parquet", NANOS, row -> row.append("text", "he had").append("at", 7L));

    assertMistake(
        new Columns("at", null, null, null),
        "column 'at' of 'a.parquet' has a type that Spark cannot read: optional int64 at"
            + " (TIMESTAMP(NANOS,false)); write it with another type, such as string, or name"
            + " another column");
  }

  @ParameterizedTest
  @ValueSource(strings = {"parquet", "orc"})
  void readsColumnsOfOtherTypesAsText(String format) {
    spark
        .sql(
            "select cast(1.50 as decimal(5, 2)) as text, date'2024-02-29' as pair, 3 as label,"
                + " true as id")
        .coalesce(1)
        .write()
        .format(format)
        .save(directory.resolve("t").toString());

    assertThat(rows(new Columns("text", "pair", "label", "id")))
        .containsExactly(new SourceRow("true", "1.50", "2024-02-29", "3"));
  }

  @Test
  void readsBinaryValuesAsUtf8() throws IOException {
    String schema = "message m { optional binary text; }";
    write(
        "a.parquet",
        schema,
        row ->
            row.append(
                "text",
                Binary.fromConstantByteArray("caf\u00e9 \uFFFD".getBytes(StandardCharsets.UTF_8))));
    write(
        "b.parquet",
        schema,
        row ->
            row.append(
                "text",
                Binary.fromConstantByteArray("caf\u00e9".getBytes(StandardCharsets.ISO_8859_1))));
    Columns columns = new Columns("text", null, null, null);

    assertThat(rows(columns))
        .containsExactly(
            new SourceRow("a.parquet:0", "caf\u00e9 \uFFFD", null, null),
            new SourceRow("b.parquet:0", "", null, null, "not UTF-8"));
    assertThat(Corpus.read(spark, spec(columns)).broken())
        .isEqualTo(InvalidRows.of("not UTF-8", 1, "b.parquet:0"));
  }

  @Test
  void columnsMayDifferInCaseAlone() throws IOException {
    write(
        "a.parquet",
        "message m { required binary text (UTF8); required binary TEXT (UTF8); }",
        row -> row.append("text", "low").append("TEXT", "high"));

    assertThat(rows(new Columns("TEXT", "text", null, null)))
        .containsExactly(new SourceRow("a.parquet:0", "high", "low", null));
    assertMistake(
        new Columns("Text", null, null, null),
        "the corpus has no column 'Text' for its text; choose from [text, TEXT]");
  }

  @Test
  void rejectsFilesThatDisagree() throws IOException {
    write("a.parquet", "message m { required int32 text; }", row -> row.append("text", 1));
    write("b.parquet", "message m { required int64 text; }", row -> row.append("text", 1L));

    assertMistake(
        new Columns("text", null, null, null),
        "column 'text' of the corpus has the type \"integer\" in 'a.parquet' and \"long\" in"
            + " 'b.parquet'; give it one type in all files");
  }

  @Test
  void rejectsFileWithoutColumn() throws IOException {
    write("a.parquet", "message m { required int32 text; }", row -> row.append("text", 1));
    write("b.parquet", "message m { required int32 body; }", row -> row.append("body", 1));

    assertMistake(
        new Columns("text", null, null, null),
        "the file 'b.parquet' of the corpus has no column 'text', unlike 'a.parquet'; name only"
            + " files that have it");
  }

  @Test
  void rejectsNestedText() {
    spark
        .sql("select array('a') as text")
        .coalesce(1)
        .write()
        .parquet(directory.resolve("t").toString());

    assertMistake(
        new Columns("text", null, null, null),
        "column 'text' must hold single values to be the corpus's text, but is of type"
            + " array<string>; choose from [text]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a.parquet", "a.orc"})
  void rejectsFileOfAnotherFormat(String name) throws IOException {
    Files.writeString(directory.resolve(name), "text\tlabel\n");

    assertThatThrownBy(() -> Corpus.read(spark, spec(new Columns("text", null, null, null))))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(name + "' of the corpus cannot be read as ")
        .hasMessageEndingWith("copy it again, or set corpus.format if it has another format");
  }

  @Test
  void explainsDamagedPages() throws IOException {
    Path file =
        write(
            "a.parquet",
            "message m { required binary text (UTF8); }",
            row -> row.append("text", "he had it for the"));
    byte[] bytes = Files.readAllBytes(file);
    Arrays.fill(bytes, 4, 40, (byte) 0x55);
    Files.write(file, bytes);

    assertThatThrownBy(() -> rows(new Columns("text", null, null, null)))
        .hasStackTraceContaining("StillhouseException: the file 'file:" + file)
        .hasStackTraceContaining("of the corpus cannot be read as PARQUET (");
  }

  @Test
  void rejectsFileWithoutRows() {
    spark.range(0).selectExpr("string(id) as text").coalesce(1).write().parquet(directory + "/t");

    assertThatThrownBy(() -> rows(new Columns("text", null, null, null)))
        .isInstanceOf(StillhouseException.class)
        .hasMessageEndingWith("has no rows; name files with text");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "_dev.parquet",
        "2024-01-01T10:00:00.parquet",
        "a[1].parquet",
        "a, b {c}*?%20.parquet"
      })
  void readsFilesWhateverTheirNames(String name) throws IOException {
    Path file =
        write(
            "in/" + name,
            "message m { required binary text (UTF8); }",
            row -> row.append("text", "he"));
    CorpusSpec spec =
        new CorpusSpec(
            List.of(file.toString()),
            Format.PARQUET,
            HeaderRow.PRESENT,
            StandardCharsets.UTF_8,
            new Columns("text", null, null, null),
            0);

    assertThat(Corpus.read(spark, spec).rows().collect())
        .containsExactly(new SourceRow(name + ":0", "he", null, null));
  }

  @Test
  void readsValuesOfDirectoriesAsWritten() throws IOException {
    String schema = "message m { required binary text (UTF8); }";
    write("label=01/a.parquet", schema, row -> row.append("text", "he"));
    write("label=__HIVE_DEFAULT_PARTITION__/a.parquet", schema, row -> row.append("text", "had"));

    assertThat(rows(new Columns("text", null, "label", null)))
        .containsExactly(
            new SourceRow("label=01/a.parquet:0", "he", null, "01"),
            new SourceRow("label=__HIVE_DEFAULT_PARTITION__/a.parquet:0", "had", null, null));
  }

  private interface Filled {
    void fill(Group row);
  }

  private Path write(String name, String schema, Filled filled) throws IOException {
    MessageType type = MessageTypeParser.parseMessageType(schema);
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(file.toUri());
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(
                org.apache.parquet.hadoop.util.HadoopOutputFile.fromPath(
                    path, Storage.ofThisProcess().hadoop()))
            .withType(type)
            .build()) {
      Group row = new SimpleGroupFactory(type).newGroup();
      filled.fill(row);
      writer.write(row);
    }
    return file;
  }

  private List<SourceRow> rows(Columns columns) {
    return Corpus.read(spark, spec(columns)).rows().collect().stream()
        .sorted(Comparator.comparing(SourceRow::key))
        .toList();
  }

  private CorpusSpec spec(Columns columns) {
    return new CorpusSpec(
        List.of(directory.toString()),
        Format.AUTO,
        HeaderRow.PRESENT,
        StandardCharsets.UTF_8,
        columns,
        0);
  }

  private void assertMistake(Columns columns, String message) {
    assertThatThrownBy(() -> Corpus.read(spark, spec(columns)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }
}
