package io.stillhouse.jobs.corpus.read;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Records of files that are written in each test; the first column is the text. */
class TextRowsTest {
  private static final String NOT_JSON = "not a JSON object";

  @TempDir private Path directory;

  private final Configuration hadoop = new Storage(new Configuration()).hadoop();

  @Test
  void readsCsvWithQuotesLineBreaksAndCrLf() throws IOException {
    assertThat(
            csv(
                """
                text,label\r
                "a, ""b"" \\",x\r
                \r
                "two\r
                lines",\r
                null,""\r
                "blanks" ,y\
                """))
        .containsExactly("a, \"b\" \\|x", "two\nlines|null", "null|", "blanks|y");
  }

  @Test
  void keepsLineEndsInQuotesOfOtherFiles() throws IOException {
    assertThat(csv("text,label\n\"a\r\nb\",1\na\rb,2\n")).containsExactly("a\r\nb|1", "a\rb|2");
  }

  @Test
  void readsCsvWhoseLinesEndWithCrAlone() throws IOException {
    assertThat(csv("text,label\ra,1\rb,2\r")).containsExactly("a|1", "b|2");
  }

  @Test
  void countsFieldsOfCsv() throws IOException {
    assertThat(csv("text,label\na, b,1\na\n,\n \nc,2\n"))
        .containsExactly(
            "!3 fields instead of 2",
            "!1 field instead of 2",
            "null|null",
            "!1 field instead of 2",
            "c|2");
  }

  @Test
  void quoteThatIsNeverClosedBreaksOneRow() throws IOException {
    assertThat(csv("text,label\n\"a,1\nb,2\nc,3\n"))
        .containsExactly("!" + CsvParser.OPEN_QUOTE, "b|2", "c|3");
  }

  @Test
  void strayQuoteBreaksOneRowEvenIfNextRowHasQuotes() throws IOException {
    assertThat(csv("text,label\n\"a,1\n\"b\",2\n\"say \"hi\"\",3\nc \"d\",4\n"))
        .containsExactly(
            "!" + CsvParser.OPEN_QUOTE, "b|2", "!" + CsvParser.OPEN_QUOTE, "c \"d\"|4");
  }

  @Test
  void readsFieldsLongerThanItsBuffer() throws IOException {
    String text = "word \"\" \n".repeat(30_000);

    assertThat(csv("text,label\n\"" + text + "\",1\nb,2\n"))
        .containsExactly(text.replace("\"\"", "\"") + "|1", "b|2");
  }

  @Test
  void countsFieldsOfTsv() throws IOException {
    assertThat(tsv("text\tlabel\na\t1\nb\n \t \nc\t2\t3\n\td\n\"e\t\"\n"))
        .containsExactly(
            "a|1", "!1 field instead of 2", " | ", "!3 fields instead of 2", "null|d", "\"e|\"");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"text\": \"a",
        "[1]",
        "\"a\"",
        "3",
        "null",
        "{\"text\": \"a\"} {}",
        "{\"text\": a}",
        "{]"
      })
  void lineThatIsNotObjectIsBroken(String line) throws IOException {
    assertThat(json("{\"text\":\"x\"}\n" + line + "\n\n{\"text\":\"y\"}\n"))
        .containsExactly("x|null", "!" + NOT_JSON, "y|null");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"text\":1.50,\"label\":true}|1.50/true",
        "{\"text\":12345678901234567890,\"label\":1e3}|12345678901234567890/1e3",
        "{\"Text\":\"A\",\"text\":\"a\",\"LABEL\":\"0\",\"label\":\"1\"}|a/1",
        "{\"other\":{\"text\":\"x\"},\"list\":[[1]],\"text\":\"a\"}|a/null",
        "{\"text\":\"the \\ud83d was\",\"label\":null}|the \uFFFD was/null",
        "{\"text\":\"the \\ud83d\\ude00 was\"}|the \uD83D\uDE00 was/null",
        "{\"text\":\"a\\u0000b\"}|a\0b/null",
        "{'text':'a','label':NaN}|a/NaN"
      })
  void keepsNotationOfJsonValues(String line, String cells) throws IOException {
    assertThat(json(line + "\n")).containsExactly(cells.replace('/', '|'));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{\"text\":\"a\",\"text\":\"b\"}|the key 'text' occurs twice",
        "{\"text\":{\"a\":1}}|the text is an object",
        "{\"text\":[\"a\"],\"label\":1}|the text is a list",
        "{\"text\":\"a\",\"label\":[[\"x\"]]}|the label is a list of lists or objects"
      })
  void valueThatIsNoTextBreaksItsRow(String line, String problem) throws IOException {
    assertThat(json(line + "\n")).containsExactly("!" + problem);
  }

  @Test
  void replacementCharacterIsText() throws IOException {
    assertThat(csv("text,label\nthe \uFFFD of,1\n")).containsExactly("the \uFFFD of|1");
    assertThat(tsv("text\tlabel\nthe \uFFFD of\t1\n")).containsExactly("the \uFFFD of|1");
    assertThat(json("{\"text\":\"\uFFFD\"}\n")).containsExactly("\uFFFD|null");
  }

  @Test
  void bytesThatAreNotInEncodingBreakTheirRow() throws IOException {
    byte[] csv = "text,label\na,1\ncaf\u00e9,2\nb,3\n".getBytes(StandardCharsets.ISO_8859_1);
    byte[] lines = "a\ncaf\u00e9\n".getBytes(StandardCharsets.ISO_8859_1);

    assertThat(read(Format.CSV, "x.csv", csv, "UTF-8")).containsExactly("a|1", "!not UTF-8", "b|3");
    assertThat(read(Format.CSV, "x.csv", csv, "ISO-8859-1"))
        .containsExactly("a|1", "caf\u00e9|2", "b|3");
    assertThat(read(Format.TEXT, "x.txt", lines, "UTF-8")).containsExactly("a|null", "!not UTF-8");
    assertThat(read(Format.TEXT, "x.txt", lines, "windows-1252"))
        .containsExactly("a|null", "caf\u00e9|null");
  }

  @ParameterizedTest
  @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "GB18030", "Shift_JIS"})
  void readsOtherEncodings(String encoding) throws IOException {
    Charset charset = Charset.forName(encoding);

    assertThat(read(Format.CSV, "x.csv", "text,label\n\u4e2d,1\n".getBytes(charset), encoding))
        .containsExactly("\u4e2d|1");
    assertThat(read(Format.TSV, "x.tsv", "text\tlabel\n\u4e2d\t1\n".getBytes(charset), encoding))
        .containsExactly("\u4e2d|1");
    assertThat(read(Format.JSON, "x.json", "{\"text\":\"\u4e2d\"}".getBytes(charset), encoding))
        .containsExactly("\u4e2d|null");
    assertThat(read(Format.TEXT, "x.txt", "\u4e2d\n\n\u4e2d".getBytes(charset), encoding))
        .containsExactly("\u4e2d|null", "|null", "\u4e2d|null");
  }

  @Test
  void halfCharacterOfUtf16IsBroken() throws IOException {
    byte[] lines = Arrays.copyOf("a\nb".getBytes(StandardCharsets.UTF_16LE), 5);

    assertThat(read(Format.TEXT, "x.txt", lines, "UTF-16LE"))
        .containsExactly("a|null", "!not UTF-16LE");
  }

  @Test
  void skipsByteOrderMarks() throws IOException {
    assertThat(csv("\uFEFFtext,label\na,1\n")).containsExactly("a|1");
    assertThat(json("\uFEFF{\"text\":\"a\"}\n")).containsExactly("a|null");
    assertThat(
            read(
                Format.TEXT,
                "x.txt.zst",
                Zstd.compress("\uFEFFa\nb".getBytes(StandardCharsets.UTF_8)),
                "UTF-8"))
        .containsExactly("a|null", "b|null");
  }

  @Test
  void readsCompressedFiles() throws IOException {
    byte[] table = "text,label\na,1\n".getBytes(StandardCharsets.UTF_8);

    assertThat(read(Format.CSV, "x.csv.gz", gzip(table), "UTF-8")).containsExactly("a|1");
    assertThat(read(Format.CSV, "x.csv.zst", Zstd.compress(table), "UTF-8")).containsExactly("a|1");
  }

  @Test
  void rejectsDamagedCompressedFile() throws IOException {
    byte[] whole = gzip("line\n".repeat(9000).getBytes(StandardCharsets.UTF_8));

    assertThatThrownBy(
            () -> read(Format.TEXT, "x.txt.gz", Arrays.copyOf(whole, whole.length / 2), "UTF-8"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("x.txt.gz' of the corpus cannot be decompressed")
        .hasMessageEndingWith("copy it again, or rename it if it is not compressed");
    assertThatThrownBy(() -> read(Format.TEXT, "x.txt.zst", whole, "UTF-8"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cannot be decompressed");
  }

  @Test
  void rangesOfFileGiveEveryLineOnce() throws IOException {
    Path file = directory.resolve("x.tsv");
    StringBuilder table = new StringBuilder("text\tlabel\r\n");
    List<String> expected = new ArrayList<>();
    for (int row = 0; row < 40; row++) {
      table
          .append("t".repeat(row % 7))
          .append('\t')
          .append(row)
          .append(row % 3 == 0 ? "\r\n" : "\n");
      expected.add((row % 7 == 0 ? "null" : "t".repeat(row % 7)) + "|" + row);
    }
    Files.writeString(file, table);
    List<String> rows = new ArrayList<>();
    for (long start = 0; start < Files.size(file); start += 11) {
      rows.addAll(read(file, start, Math.min(11, Files.size(file) - start), Format.TSV, "UTF-8"));
    }

    assertThat(rows).isEqualTo(expected);
  }

  @Test
  void takesValuesFromDirectories() throws IOException {
    Path file =
        Files.writeString(directory.resolve("x.json"), "{\"text\":\"a\",\"label\":\"0\"}\n");
    TextRows rows =
        TextRows.open(
            new FileRange(
                new FileRow.Block(file.toUri().toString(), 0),
                Files.size(file),
                Map.of(Role.LABEL, "01")),
            new TextLayout(Format.JSON, "UTF-8", false, 0, Map.of(), Map.of(Role.TEXT, "text")),
            hadoop);

    assertThat(shown(rows.next())).isEqualTo("a|01");
  }

  private List<String> csv(String content) throws IOException {
    return read(Format.CSV, "x.csv", content.getBytes(StandardCharsets.UTF_8), "UTF-8");
  }

  private List<String> tsv(String content) throws IOException {
    return read(Format.TSV, "x.tsv", content.getBytes(StandardCharsets.UTF_8), "UTF-8");
  }

  private List<String> json(String content) throws IOException {
    return read(Format.JSON, "x.json", content.getBytes(StandardCharsets.UTF_8), "UTF-8");
  }

  private List<String> read(Format format, String name, byte[] content, String encoding)
      throws IOException {
    Path file = Files.write(directory.resolve(name), content);
    return read(file, 0, content.length, format, encoding);
  }

  /** Returns the text and label of each row, or its problem after an exclamation mark. */
  private List<String> read(Path file, long start, long length, Format format, String encoding) {
    TextLayout layout =
        new TextLayout(
            format,
            encoding,
            format.isDelimited(),
            2,
            format.isDelimited() ? Map.of(Role.TEXT, 0, Role.LABEL, 1) : Map.of(),
            format == Format.JSON ? Map.of(Role.TEXT, "text", Role.LABEL, "label") : Map.of());
    List<String> rows = new ArrayList<>();
    TextRows.open(
            new FileRange(new FileRow.Block(file.toUri().toString(), start), length, Map.of()),
            layout,
            hadoop)
        .forEachRemaining(row -> rows.add(shown(row)));
    return rows;
  }

  private static String shown(FileRow row) {
    FileRow.Label label = row.cells().label();
    return row.problem() != null
        ? "!" + row.problem()
        : row.cells().text() + "|" + (label == null ? null : label.text("k"));
  }

  private static byte[] gzip(byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes);
    }
    return out.toByteArray();
  }
}
