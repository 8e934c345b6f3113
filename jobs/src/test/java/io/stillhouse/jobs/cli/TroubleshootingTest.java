package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Compares the messages in TROUBLESHOOTING.md with those in the code. */
class TroubleshootingTest {
  private static final Path ROOT = Path.of("..");
  private static final Pattern HEADING = Pattern.compile("(?m)^### `(.*)`$");
  private static final Pattern LITERAL = Pattern.compile("\"((?:[^\"\\\\]|\\\\.)*)\"");

  /** The plus sign between the parts of a string that spans lines. */
  private static final Pattern CONCATENATION = Pattern.compile("\"\\s*\\+\\s*\"");

  static List<String> messages() throws IOException {
    String page = Files.readString(Path.of("TROUBLESHOOTING.md"));
    String own = page.substring(0, page.indexOf("\n## Java, Spark and the machine"));
    return HEADING
        .matcher(own)
        .results()
        .map(heading -> heading.group(1))
        .filter(message -> !message.equals("CUDA out of memory"))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("messages")
  void quotesMessageOfTheCode(String message) {
    List<String> parts = Arrays.stream(message.split("…")).filter(part -> !part.isBlank()).toList();
    assertThat(parts).isNotEmpty();
    assertThat(Code.STRINGS.stream().anyMatch(file -> parts.stream().allMatch(file::contains)))
        .as("a source file whose strings contain all of %s", parts)
        .isTrue();
  }

  @Test
  void quotesManyMessages() throws IOException {
    assertThat(messages()).hasSizeGreaterThan(40).doesNotHaveDuplicates();
  }

  private static final class Code {
    /** The strings of each source file, one on a line. */
    static final List<String> STRINGS = strings();

    private static List<String> strings() {
      try (Stream<Path> files = Stream.concat(sources("core"), sources("jobs"))) {
        return Stream.concat(
                files.map(Code::read).map(Code::stringsOf),
                Stream.of(read(ROOT.resolve("jobs/bin/stillhouse"))))
            .toList();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private static String stringsOf(String java) {
      return LITERAL
          .matcher(CONCATENATION.matcher(java).replaceAll(""))
          .results()
          .map(literal -> literal.group(1).replace("\\\"", "\""))
          .collect(Collectors.joining("\n"));
    }

    private static Stream<Path> sources(String module) throws IOException {
      return Files.walk(ROOT.resolve(module).resolve("src/main/java"))
          .filter(path -> path.toString().endsWith(".java"));
    }

    private static String read(Path path) {
      try {
        return Files.readString(path);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
