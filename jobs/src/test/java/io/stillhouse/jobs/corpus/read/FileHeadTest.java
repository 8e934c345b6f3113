package io.stillhouse.jobs.corpus.read;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.CorpusSpec.Format;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileHeadTest {
  @TempDir private Path directory;

  @Test
  void namesColumnsOfHeader() throws IOException {
    assertThat(head(Format.CSV, "\n\"a, b\",,c\n1,2,3\n", "UTF-8").columns())
        .containsExactly("a, b", "_c1", "c");
    assertThat(head(Format.TSV, " \na\t\tc\n", "UTF-8").columns()).containsExactly("a", "_c1", "c");
  }

  @Test
  void namesKeysOfFirstObjects() throws IOException {
    assertThat(
            head(Format.JSON, "{\"a\":{\"x\":1}}\ntorn {\n{\"b\":[],\"a\":2}\n", "UTF-8").columns())
        .containsExactly("a", "b");
  }

  @Test
  void emptyFileHasNoColumns() throws IOException {
    assertThat(head(Format.CSV, "", "UTF-8").columns()).isEmpty();
    assertThat(head(Format.CSV, "", "UTF-8").problem()).isNull();
  }

  @ParameterizedTest
  @CsvSource({
    "UTF-16, UTF-8, set corpus.encoding=UTF-16",
    "UTF-16, ISO-8859-1, set corpus.encoding=UTF-16",
    "UTF-16LE, UTF-8, set corpus.encoding=UTF-16LE if it is UTF-16",
    "UTF-16BE, UTF-8, set corpus.encoding=UTF-16BE if it is UTF-16",
    "UTF-16LE, UTF-16, 'has no byte order mark, but corpus.encoding is UTF-16; set"
        + " corpus.encoding=UTF-16LE'"
  })
  void findsOtherEncodings(String written, String read, String advice) throws IOException {
    assertThat(head(Format.TSV, "text\tlabel\n", written, read).problem()).endsWith(advice);
    assertThat(head(Format.TSV, "text\tlabel\n", written, written).problem()).isNull();
  }

  @Test
  void utf8MarkContradictsOtherEncodings() throws IOException {
    assertThat(head(Format.CSV, "\uFEFFtext,label\n", "UTF-8", "ISO-8859-1").problem())
        .endsWith("but corpus.encoding is ISO-8859-1; set corpus.encoding=UTF-8");
  }

  @Test
  void markOfOneByteOrderContradictsTheOther() throws IOException {
    assertThat(head(Format.TSV, "\uFEFFtext\tlabel\n", "UTF-16BE", "UTF-16LE").problem())
        .endsWith("of UTF-16BE, but corpus.encoding is UTF-16LE; set corpus.encoding=UTF-16");
    assertThat(head(Format.TSV, "\uFEFFtext\tlabel\n", "UTF-16BE").problem()).isNull();
  }

  @ParameterizedTest
  @CsvSource({"'ORCID,text\n1,a\n'", "'BZh,text\n1,a\n'", "'ORC,PK\n1,a\n'"})
  void textMayStartLikeOtherFormats(String text) throws IOException {
    assertThat(head(Format.CSV, text, "UTF-8").problem()).isNull();
  }

  @Test
  void recognizesOtherFormats() throws IOException {
    assertThat(head(Format.CSV, "ORC\n\u0003\u0000\u0001", "UTF-8").problem())
        .endsWith("an ORC file; set corpus.format=orc");
    assertThat(head(Format.CSV, "BZh91AY&SY", "UTF-8").problem()).contains("bzip2");
  }

  @Test
  void findsJsonArrayInItsFirstBytes() throws IOException {
    assertThat(head(Format.JSON, "\uFEFF \n[{\"a\":1}", "UTF-8").problem())
        .contains("it is a JSON array");
  }

  @Test
  void explainsHeaderThatIsNotInEncoding() throws IOException {
    assertThat(head(Format.CSV, "caf\u00e9,label\n", "ISO-8859-1", "UTF-8").problem())
        .contains("the header of ")
        .contains(" is not UTF-8; set corpus.encoding to the encoding of the file");
  }

  private FileHead head(Format format, String content, String encoding) throws IOException {
    return head(format, content, encoding, encoding);
  }

  private FileHead head(Format format, String content, String written, String read)
      throws IOException {
    Path file = directory.resolve("x");
    Files.write(file, content.getBytes(Charset.forName(written)));
    return FileHead.of(
        new FileRange(new FileRow.Block(file.toUri().toString(), 0), Files.size(file), Map.of()),
        new TextLayout(
            format, Charset.forName(read).name(), format.isDelimited(), 0, Map.of(), Map.of()),
        new Storage(new Configuration()).hadoop());
  }
}
