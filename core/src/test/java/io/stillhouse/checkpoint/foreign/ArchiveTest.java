package io.stillhouse.checkpoint.foreign;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArchiveTest {
  private static final Archive.Limits SMALL = new Archive.Limits(100_000, 3, 2, 10, 1000);

  @TempDir Path directory;

  @Test
  void unpacksNestedZips() throws IOException {
    Path file = write(zip("inner.zip", zip("sub/a.txt", "hello".getBytes())));

    Archive.unpack(file, directory.resolve("out"), SMALL);

    assertThat(directory.resolve("out/sub/a.txt")).hasContent("hello");
  }

  @Test
  void rejectsNestingBeyondLimit() throws IOException {
    byte[] deep = zip("a", zip("b", zip("c", new byte[1])));

    assertRefused(deep, "has zips nested deeper than a model's archive may have (2)");
  }

  @Test
  void rejectsMoreEntriesThanLimit() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (int i = 0; i < 4; i++) {
        zip.putNextEntry(new ZipEntry("directory" + i + "/"));
      }
    }

    assertRefused(bytes.toByteArray(), "has more entries than a model's archive may have (3)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"zeros.bin", "Zeros.class"})
  void rejectsEntryThatIsCompressedTooWell(String name) throws IOException {
    assertRefused(
        zip(name, new byte[50_000]),
        "has more bytes for each compressed byte than a model's archive may have (10)");
  }

  @Test
  void rejectsMoreBytesThanLimit() throws IOException {
    byte[] noise = new byte[100_001];
    new java.util.Random(1).nextBytes(noise);

    assertRefused(zip("noise", noise), "has more bytes than a model's archive may have (100,000)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../x", "/x", "a/../../x"})
  void rejectsEntryOutsideOfDirectory(String name) throws IOException {
    assertThatThrownBy(() -> unpack(zip(name, new byte[1])))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(format("has an entry outside its root: '%s'", name));
    assertThat(directory.resolve("x")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({"a, ./a", "a, a/b", "a, a/b/c", "a/b, a"})
  void rejectsTwoEntriesForOneFile(String first, String second) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry(first));
      zip.putNextEntry(new ZipEntry(second));
    }

    assertThatThrownBy(() -> unpack(bytes.toByteArray()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' has two entries 'a'; unpack it yourself and import the directory",
            directory.resolve("x.zip"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"%s", "%s/a", "a/%s"})
  void rejectsEntryWhoseNameIsTooLong(String name) throws IOException {
    byte[] archive = zip(name.replace("%s", "n".repeat(300)), new byte[1]);

    assertThatThrownBy(() -> unpack(archive))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("', which cannot be unpacked here (File name too long); unpack it");
  }

  private void assertRefused(byte[] archive, String message) {
    assertThatThrownBy(() -> unpack(archive))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' %s; if it is a model, unpack it yourself and import the directory",
            directory.resolve("x.zip"), message);
  }

  private void unpack(byte[] archive) throws IOException {
    Archive.unpack(write(archive), Files.createDirectory(directory.resolve("out")), SMALL);
  }

  private Path write(byte[] archive) throws IOException {
    return Files.write(directory.resolve("x.zip"), archive);
  }

  private static byte[] zip(String name, byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry(name));
      zip.write(content);
    }
    return bytes.toByteArray();
  }
}
