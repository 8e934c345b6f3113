package io.stillhouse.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;

class ReadmeTest {
  @Test
  void settingsTableMatchesOptions() throws IOException {
    String readme = Files.readString(SettingsTable.README);

    assertThat(readme)
        .as("run SettingsTable.main to rewrite the table: see core/CONTRIBUTING.md")
        .isEqualTo(SettingsTable.in(readme));
  }
}
