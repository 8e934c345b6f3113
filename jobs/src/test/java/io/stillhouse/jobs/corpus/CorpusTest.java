package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.CorpusSpec.Columns;
import io.stillhouse.spec.CorpusSpec.Format;
import io.stillhouse.spec.CorpusSpec.HeaderRow;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class CorpusTest {
  private static final String MAX_BYTES = "spark.sql.files.maxPartitionBytes";
  private static final Columns TEXT_ONLY = new Columns("text", null, null, null);

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void keysDoNotDependOnPartitioning() throws IOException {
    write("a.txt", "same line\n".repeat(60) + "\r\nlast\r\n");
    write("b.txt", "same line\n".repeat(30) + "no end of line");
    List<SourceRow> whole = rows(lines(directory));
    List<SourceRow> pieces = inPieces(lines(directory));
    assertThat(pieces).isEqualTo(whole).hasSize(62 + 31);
    assertThat(whole).extracting(SourceRow::key).doesNotHaveDuplicates();
    assertThat(whole.get(0)).isEqualTo(new SourceRow("a.txt:0", "same line", null, null));
    assertThat(whole)
        .contains(
            new SourceRow("a.txt:60", "", null, null),
            new SourceRow("a.txt:61", "last", null, null),
            new SourceRow("b.txt:30", "no end of line", null, null));
  }

  @Test
  void readsFileInSeveralPartitions() throws IOException {
    write("a.txt", "same line\n".repeat(60));
    spark.conf().set(MAX_BYTES, "64");
    try {
      assertThat(Corpus.read(spark, lines(directory)).rows().getNumPartitions()).isGreaterThan(5);
    } finally {
      spark.conf().unset(MAX_BYTES);
    }
  }

  @Test
  void readsSameRowsFromEveryTabularFormat() throws IOException {
    write(
        "in/rows.csv",
        "label,text\n"
            + IntStream.range(0, 50)
                .mapToObj(i -> i % 2 + ",row " + i + "\n")
                .reduce("", String::concat));
    var table =
        spark.read().option("header", true).csv(directory.resolve("in").toString()).coalesce(1);
    table.write().parquet(directory.resolve("parquet").toString());
    table.write().orc(directory.resolve("orc").toString());
    table.write().json(directory.resolve("json").toString());
    table
        .write()
        .option("sep", "\t")
        .option("header", true)
        .csv(directory.resolve("tsv").toString());
    Columns columns = new Columns("text", null, "label", null);
    List<SourceRow> expected =
        IntStream.range(0, 50)
            .mapToObj(i -> new SourceRow(":" + i, "row " + i, null, "" + i % 2))
            .toList();
    for (String name : List.of("in", "parquet", "orc", "json")) {
      CorpusSpec spec = spec(directory.resolve(name), Format.AUTO, HeaderRow.PRESENT, columns);
      assertThat(withoutFile(rows(spec))).as(name).isEqualTo(expected);
      assertThat(withoutFile(inPieces(spec))).as(name).isEqualTo(expected);
    }
    CorpusSpec tsv = spec(directory.resolve("tsv"), Format.TSV, HeaderRow.PRESENT, columns);
    assertThat(withoutFile(inPieces(tsv))).isEqualTo(expected);
  }

  @Test
  void readsTsvWithByteOrderMarkAndBareQuotes() throws IOException {
    write(
        "m.tsv",
        "\ufeffQuality\t#1 String\t#2 String\r\n1\t\"He said\tso \"\"\r\n0\tb \\\tc\\\"\r\n");
    CorpusSpec spec =
        spec(
            directory.resolve("m.tsv"),
            Format.AUTO,
            HeaderRow.PRESENT,
            new Columns("#1 String", "#2 String", "Quality", null));
    assertThat(rows(spec))
        .containsExactly(
            new SourceRow("m.tsv:0", "\"He said", "so \"\"", "1"),
            new SourceRow("m.tsv:1", "b \\", "c\\\"", "0"));
    assertThat(inPieces(spec)).isEqualTo(rows(spec));
  }

  @Test
  void readsQuotedCsvFields() throws IOException {
    write("q.csv", "text,label\r\n\"a, \"\"b\"\" \\\",x\r\n\"two\nlines\",y\r\nplain,z\r\n");
    CorpusSpec spec =
        spec(
            directory.resolve("q.csv"),
            Format.AUTO,
            HeaderRow.PRESENT,
            new Columns("text", null, "label", null));
    assertThat(rows(spec))
        .containsExactly(
            new SourceRow("q.csv:0", "a, \"b\" \\", null, "x"),
            new SourceRow("q.csv:1", "two\nlines", null, "y"),
            new SourceRow("q.csv:2", "plain", null, "z"));
  }

  @Test
  void namesColumnsByIndexWithoutHeader() throws IOException {
    write("c.tsv", "gj04\t1\t\tA sentence.\ngj04\t0\t*\tAnother.\n");
    assertThat(
            rows(spec(directory, Format.AUTO, HeaderRow.ABSENT, new Columns("3", null, "1", null))))
        .containsExactly(
            new SourceRow("c.tsv:0", "A sentence.", null, "1"),
            new SourceRow("c.tsv:1", "Another.", null, "0"));
  }

  @Test
  void keysContainPathBelowCorpus() throws IOException {
    write("top/one file 100%.txt", "a\n");
    write("top/deep/er/one.txt", "b\n");
    write("other/one.txt", "c\n");
    write("top/_SUCCESS", "");
    gzip("top/z.txt.gz", "d\ne\n");
    assertThat(rows(lines(directory.resolve("top"))))
        .extracting(SourceRow::key)
        .containsExactly("deep/er/one.txt:0", "one file 100%.txt:0", "z.txt.gz:0", "z.txt.gz:1");
    CorpusSpec two =
        new CorpusSpec(
            List.of(
                directory.resolve("top/deep").toString(),
                directory.resolve("other/one.txt").toString()),
            Format.AUTO,
            HeaderRow.PRESENT,
            StandardCharsets.UTF_8,
            Columns.LINES,
            0);
    assertThat(rows(two))
        .extracting(SourceRow::key)
        .containsExactly("other/one.txt:0", "top/deep/er/one.txt:0");
  }

  @Test
  void readsPartitionsAsColumns() throws IOException {
    write("split=dev/a.csv", "text\nx\n");
    write("split=train/a.csv", "text\ny\n");
    assertThat(rows(named(new Columns("text", null, "split", null))))
        .containsExactly(
            new SourceRow("split=dev/a.csv:0", "x", null, "dev"),
            new SourceRow("split=train/a.csv:0", "y", null, "train"));
  }

  @Test
  void limitTakesFirstRowsOfFirstFiles() throws IOException {
    write("a.txt", "1\n\n3\n");
    write("b.txt", "4\n\n6\n");
    CorpusSpec spec =
        new CorpusSpec(
            List.of(directory.toString()),
            Format.TEXT,
            HeaderRow.PRESENT,
            StandardCharsets.UTF_8,
            Columns.LINES,
            4);
    assertThat(rows(spec))
        .extracting(SourceRow::key)
        .containsExactly("a.txt:0", "a.txt:1", "a.txt:2", "b.txt:0");
    Corpus corpus = Corpus.read(spark, spec);
    assertThat(corpus.rowCount()).isEqualTo(4);
    assertThat(corpus.blankRows()).isEqualTo(1);
  }

  @Test
  void addsUnlabelledFilesOfAnotherFormat() throws IOException {
    write("a.tsv", "text\tn\nx\t1\ny\t2\n");
    write("more/b.jsonl", "{\"text\":\"u\"}\n{\"text\":\"v\",\"n\":\"3\"}\n");
    CorpusSpec labelled =
        spec(
            directory.resolve("a.tsv"),
            Format.AUTO,
            HeaderRow.PRESENT,
            new Columns("text", null, "n", null));

    assertThat(rows(labelled.withUnlabelled(List.of(directory.resolve("more").toString()))))
        .containsExactly(
            new SourceRow("a.tsv:0", "x", null, "1"),
            new SourceRow("a.tsv:1", "y", null, "2"),
            new SourceRow("more/b.jsonl:0", "u", null, null).withoutLabel(),
            new SourceRow("more/b.jsonl:1", "v", null, null).withoutLabel());
  }

  @Test
  void rejectsIdOfLabelledAndUnlabelledRow() throws IOException {
    write("a.tsv", "id\ttext\tn\n1\tx\t1\n");
    write("b.tsv", "id\ttext\n1\tu\n");
    CorpusSpec spec =
        spec(
                directory.resolve("a.tsv"),
                Format.AUTO,
                HeaderRow.PRESENT,
                new Columns("text", null, "n", "id"))
            .withUnlabelled(List.of(directory.resolve("b.tsv").toString()));

    assertThatThrownBy(() -> Corpus.read(spark, spec))
        .hasMessageContaining("1 ids in column 'id' occur in more than one row, such as '1'");
  }

  @Test
  void keepsAndCountsBlankRows() throws IOException {
    write("j.jsonl", "{\"text\":\"a\",\"n\":1.0}\n{\"n\":2}\n{\"text\":\"  \",\"n\":null}\n");
    CorpusSpec spec = named(new Columns("text", null, "n", null));
    assertThat(rows(spec))
        .containsExactly(
            new SourceRow("j.jsonl:0", "a", null, "1.0"),
            new SourceRow("j.jsonl:1", "", null, "2"),
            new SourceRow("j.jsonl:2", "", null, null));
    assertThat(Corpus.read(spark, spec).blankRows()).isEqualTo(2);
  }

  @Test
  void joinsListOfLabelsWithVerticalBars() throws IOException {
    write(
        "t.jsonl",
        """
        {"text":"a","tags":["joy","fear"]}
        {"text":"b","tags":[]}
        {"text":"c"}
        """);

    assertThat(rows(named(new Columns("text", null, "tags", null))))
        .extracting(SourceRow::label)
        .containsExactly("joy|fear", "", null);
  }

  @Test
  void rejectsLabelWithVerticalBarInList() throws IOException {
    write("t.jsonl", "{\"text\":\"a\",\"odd\":[\"up\"]}\n{\"text\":\"b\",\"odd\":[\"up|down\"]}\n");
    CorpusSpec odd = named(new Columns("text", null, "odd", null));

    assertThatThrownBy(() -> rows(odd))
        .hasStackTraceContaining(
            "the label 'up|down' of row 't.jsonl:1' contains a vertical bar, which separates"
                + " labels; rename that label");
  }

  @Test
  void usesIdsOfUser() throws IOException {
    write("i.csv", "id,text\nx1,same\nx2,same\n");
    Columns columns = new Columns("text", null, null, "id");
    assertThat(rows(named(columns))).extracting(SourceRow::key).containsExactly("x1", "x2");
  }

  @Test
  void rejectsRepeatedIds() throws IOException {
    write("i.csv", "id,text\nx2,a\nx1,b\nx2,c\nx1,d\n");
    mistake(
        named(new Columns("text", null, null, "id")),
        "2 ids in column 'id' occur in more than one row, such as 'x1'; make ids unique, or omit"
            + " corpus.id: rows are then keyed by file and row number");
  }

  @Test
  void rejectsMissingIds() throws IOException {
    write("i.csv", "text,id\na,1\nb,\nc,3\n");
    mistake(
        named(new Columns("text", null, null, "id")),
        "1 rows have no id in column 'id'; give every row an id, or omit corpus.id: rows are"
            + " then keyed by file and row number");
  }

  @Test
  void listsColumnsIfOneIsMissing() throws IOException {
    write("s.tsv", "sentence\tlabel\na\t1\n");
    mistake(
        named(TEXT_ONLY),
        "the corpus has no column 'text' for its text; choose from [sentence, label]");
  }

  @Test
  void rejectsTableWithoutTextColumn() throws IOException {
    write("s.tsv", "sentence\tlabel\na\t1\n");
    mistake(
        named(Columns.LINES),
        "a corpus of format TSV needs a text column; choose from [sentence, label]");
  }

  @Test
  void rejectsCorpusWithoutRows() throws IOException {
    write("a.txt", "");
    mistake(
        lines(directory), format("the corpus [%s] has no rows; name files with text", directory));
  }

  @Test
  void countsLinesThatAreNotJson() throws IOException {
    write("bad.json", "not json\n");
    assertThat(Corpus.read(spark, named(TEXT_ONLY)).broken())
        .isEqualTo(InvalidRows.of("not a JSON object", 1, "bad.json:0"));
  }

  @Test
  void rejectsFilesWithDifferentHeaders() throws IOException {
    write("a.csv", "text,label\nx,1\n");
    write("b.csv", "label,text\n1,y\n");
    mistake(
        named(TEXT_ONLY),
        "the corpus's files have different header rows: 'a.csv' has [text, label], 'b.csv' has"
            + " [label, text]; give all files the same columns in the same order, or name only"
            + " files that agree");
  }

  private void mistake(CorpusSpec spec, String message) {
    assertThatThrownBy(() -> Corpus.read(spark, spec))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }

  private List<SourceRow> rows(CorpusSpec spec) {
    Corpus corpus = Corpus.read(spark, spec);
    List<SourceRow> rows = corpus.rows().collect();
    assertThat(corpus.rowCount()).isEqualTo(rows.size());
    return rows.stream()
        .sorted(Comparator.comparing(CorpusTest::file).thenComparing(CorpusTest::ordinal))
        .toList();
  }

  private List<SourceRow> inPieces(CorpusSpec spec) {
    spark.conf().set(MAX_BYTES, "64");
    try {
      return rows(spec);
    } finally {
      spark.conf().unset(MAX_BYTES);
    }
  }

  private static String file(SourceRow row) {
    return row.key().contains(":") ? row.key().substring(0, row.key().lastIndexOf(':')) : row.key();
  }

  private static long ordinal(SourceRow row) {
    return row.key().contains(":")
        ? Long.parseLong(row.key().substring(row.key().lastIndexOf(':') + 1))
        : 0;
  }

  /** Spark names the files that it writes at random. */
  private static List<SourceRow> withoutFile(List<SourceRow> rows) {
    return rows.stream()
        .map(row -> new SourceRow(":" + ordinal(row), row.text(), row.pair(), row.label()))
        .toList();
  }

  private static CorpusSpec lines(Path path) {
    return spec(path, Format.AUTO, HeaderRow.PRESENT, Columns.LINES);
  }

  /** Tables of any format whose columns have names. */
  private CorpusSpec named(Columns columns) {
    return spec(directory, Format.AUTO, HeaderRow.PRESENT, columns);
  }

  private static CorpusSpec spec(Path path, Format format, HeaderRow header, Columns columns) {
    return new CorpusSpec(
        List.of(path.toString()), format, header, StandardCharsets.UTF_8, columns, 0);
  }

  private void write(String name, String content) throws IOException {
    Path file = directory.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, content);
  }

  private void gzip(String name, String content) throws IOException {
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(directory.resolve(name)))) {
      out.write(content.getBytes(StandardCharsets.UTF_8));
    }
  }
}
