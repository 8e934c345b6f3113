package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Uses shell scripts in place of mvn, with the output of Maven 3.8.7. */
class MavenArtifactTest {
  private static final MavenArtifact ARTIFACT = MavenArtifact.parse("org.example:words:1.0");
  private static final String IN_REPOSITORY = "org/example/words/1.0/words-1.0.jar";

  @TempDir Path directory;

  @Test
  void usesExistingJarWithoutMaven() throws IOException {
    Path jar = directory.resolve(IN_REPOSITORY);
    Files.createDirectories(jar.getParent());
    Files.createFile(jar);
    assertThat(ARTIFACT.resolve(directory, "no-such-mvn", null)).isEqualTo(jar);
  }

  @Test
  void findsJarInRepositoryOfMavenSettings() throws IOException {
    Path mvn =
        script(
            format(
                """
                case "$*" in
                  *:get*) printf 'Progress (1): 0.4/12 MB\\rProgress (1): 12/12 MB\\n'
                    mkdir -p "$(dirname '%1$s')"; touch '%1$s' ;;
                  *) printf '%2$s' ;;
                esac
                """,
                directory.resolve("mine").resolve(IN_REPOSITORY), directory.resolve("mine")));
    assertThat(ARTIFACT.resolve(directory.resolve("usual"), mvn.toString(), null))
        .isEqualTo(directory.resolve("mine").resolve(IN_REPOSITORY));
  }

  @Test
  void reportsMavensFirstError() throws IOException {
    Path mvn =
        script(
            """
            echo '[ERROR] Could not find artifact org.example:words:jar:1.0 in central'
            echo '[ERROR] more'
            exit 1
            """);
    assertThatThrownBy(() -> ARTIFACT.resolve(directory, mvn.toString(), null))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "Maven could not download 'org.example:words:1.0': Could not find artifact"
                + " org.example:words:jar:1.0 in central; check the coordinates and the network,"
                + " then try again");
  }

  @Test
  void saysWhereToPutJarWithoutMaven() {
    assertThatThrownBy(() -> ARTIFACT.resolve(directory, "no-such-mvn", null))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'org.example:words:1.0' is not in the local Maven repository, and 'no-such-mvn'"
                + " cannot be run to download it; install Maven 3.8 or newer, or put the jar at"
                + " '%s'",
            directory.resolve(IN_REPOSITORY));
  }

  @Test
  void rejectsJarWithAnotherChecksum() throws IOException {
    Path jar = directory.resolve(IN_REPOSITORY);
    Files.createDirectories(jar.getParent());
    Files.writeString(jar, "abc");
    String abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    assertThat(ARTIFACT.resolve(directory, "no-such-mvn", abc)).isEqualTo(jar);
    String other = "0".repeat(64);
    assertThatThrownBy(() -> ARTIFACT.resolve(directory, "no-such-mvn", other))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' is not the jar of org.example:words:1.0 that was published: its SHA-256 is %s,"
                + " not %s; delete it, and try again; if that does not help, ask who runs the"
                + " repository mirror",
            jar, abc, other);
  }

  @Test
  void rejectsIncompleteCoordinates() {
    assertThatThrownBy(() -> MavenArtifact.parse("org.example:words"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("a Maven artifact must be group:artifact:version, but is 'org.example:words'");
  }

  private Path script(String text) throws IOException {
    Path script = directory.resolve("mvn");
    Files.writeString(script, "#!/bin/sh\n" + text);
    assertThat(script.toFile().setExecutable(true)).isTrue();
    return script;
  }
}
