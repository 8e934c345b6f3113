package io.stillhouse.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ReadmeTest {
  @Test
  void listsEveryOptionWithItsDefaultAndMeaning() throws IOException {
    String readme = Files.readString(Path.of("../README.md"));

    assertThat(readme).contains(table());
  }

  private static String table() {
    return Options.ALL.stream()
        .map(
            option ->
                "| `%s` | %s | %s |"
                    .formatted(
                        option.key(),
                        option.defaultValue() == null
                            ? "*required*"
                            : option.defaultValue().isEmpty()
                                ? ""
                                : "`" + option.defaultValue() + "`",
                        option.doc()))
        .collect(Collectors.joining("\n"));
  }
}
