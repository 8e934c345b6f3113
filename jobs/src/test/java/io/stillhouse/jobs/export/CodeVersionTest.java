package io.stillhouse.jobs.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Properties;
import org.junit.jupiter.api.Test;

class CodeVersionTest {
  @Test
  void namesVersionAndCommit() {
    assertThat(CodeVersion.of(properties("1.2", "a50e7c0", "false"))).isEqualTo("1.2 (a50e7c0)");
  }

  @Test
  void tellsThatFilesHadChangedSinceCommit() {
    assertThat(CodeVersion.of(properties("1.2", "a50e7c0", "true")))
        .isEqualTo("1.2 (a50e7c0, with local changes)");
  }

  @Test
  void namesVersionAloneWithoutRepository() {
    Properties properties = new Properties();
    properties.setProperty("git.build.version", "1.2");

    assertThat(CodeVersion.of(properties)).isEqualTo("1.2");
    assertThat(CodeVersion.of(new Properties())).isEqualTo("unknown");
  }

  private static Properties properties(String version, String commit, String dirty) {
    Properties properties = new Properties();
    properties.setProperty("git.build.version", version);
    properties.setProperty("git.commit.id.abbrev", commit);
    properties.setProperty("git.dirty", dirty);
    return properties;
  }
}
