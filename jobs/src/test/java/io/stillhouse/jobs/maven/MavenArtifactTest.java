package io.stillhouse.jobs.maven;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.error.UnavailableException;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sonatype.plexus.components.cipher.DefaultPlexusCipher;
import org.sonatype.plexus.components.cipher.PlexusCipherException;

/** Downloads from a repository on this machine, with the settings of a user who has no Maven. */
class MavenArtifactTest {
  private static final MavenArtifact ARTIFACT = MavenArtifact.parse("org.example:words:1.0");
  private static final String IN_REPOSITORY = "org/example/words/1.0/words-1.0.jar";

  @TempDir Path home;

  @Test
  void usesJarOfLocalRepositoryWithoutNetwork() throws IOException {
    settings("<offline>true</offline>");
    Path jar = home.resolve(".m2/repository").resolve(IN_REPOSITORY);
    Files.createDirectories(jar.getParent());
    Files.createFile(jar);
    assertThat(resolve()).isEqualTo(jar);
  }

  @Test
  void downloadsFromMirrorToLocalRepositoryOfSettings() throws IOException {
    try (TestRepository repository = TestRepository.with(IN_REPOSITORY, "words")) {
      settings(mirror(repository) + "<localRepository>${env.JARS}</localRepository>");
      Path jars = home.resolve("jars");
      Path jar = ARTIFACT.resolve(read(Map.of("JARS", jars.toString())), null);
      assertThat(jar).isEqualTo(jars.resolve(IN_REPOSITORY)).hasContent("words");
      assertThat(repository.requests()).contains("/" + IN_REPOSITORY);
    }
  }

  @Test
  void readsMavenCentralByHttps() {
    assertThat(MavenRepositories.central().getId()).isEqualTo("central");
    assertThat(MavenRepositories.central().getProtocol()).isEqualTo("https");
    assertThat(MavenRepositories.central().getHost()).contains("maven").doesNotContain("$");
  }

  @Test
  void downloadsFromRepositoryOfActiveProfile() throws IOException {
    try (TestRepository repository = TestRepository.with(IN_REPOSITORY, "words")) {
      settings(
          format(
              """
              <profiles>
                <profile>
                  <id>ours</id>
                  <repositories>
                    <repository><id>our-repository</id><url>%s</url></repository>
                  </repositories>
                </profile>
              </profiles>
              <activeProfiles><activeProfile>ours</activeProfile></activeProfiles>
              """,
              repository.url()));
      assertThat(resolve()).hasContent("words");
    }
  }

  @Test
  void sendsEncryptedPasswordOfServer() throws IOException, PlexusCipherException {
    DefaultPlexusCipher cipher = new DefaultPlexusCipher();
    String master = cipher.encryptAndDecorate("master", "settings.security");
    Files.createDirectories(home.resolve(".m2"));
    Files.writeString(
        home.resolve(".m2/settings-security.xml"),
        format("<settingsSecurity><master>%s</master></settingsSecurity>", master));
    try (TestRepository repository = TestRepository.with(IN_REPOSITORY, "words")) {
      repository.require("Authorization", "Basic amFuZTpwYSQk"); // jane:pa$$
      settings(mirror(repository));
      assertThatThrownBy(this::resolve)
          .isInstanceOf(UnavailableException.class)
          .hasMessageContaining("401");
      settings(
          mirror(repository)
              + format(
                  """
                  <servers>
                    <server>
                      <id>ours</id><username>jane</username><password>%s</password>
                    </server>
                  </servers>
                  """,
                  cipher.encryptAndDecorate("pa$$", "master")));
      assertThat(resolve()).hasContent("words");
    }
  }

  @Test
  void sendsHeadersOfServer() throws IOException {
    try (TestRepository repository = TestRepository.with(IN_REPOSITORY, "words")) {
      repository.require("Job-Token", "abc");
      settings(
          mirror(repository)
              + """
              <servers>
                <server>
                  <id>ours</id>
                  <configuration>
                    <httpHeaders>
                      <property><name>Job-Token</name><value>abc</value></property>
                    </httpHeaders>
                  </configuration>
                </server>
              </servers>
              """);
      assertThat(resolve()).hasContent("words");
    }
  }

  @Test
  void downloadsThroughProxy() throws IOException {
    try (TestRepository proxy = TestRepository.with(IN_REPOSITORY, "words")) {
      settings(
          format(
              """
              <mirrors>
                <mirror>
                  <id>ours</id><mirrorOf>*</mirrorOf><url>http://repository.invalid/</url>
                </mirror>
              </mirrors>
              <proxies>
                <proxy><protocol>http</protocol><host>127.0.0.1</host><port>%d</port></proxy>
              </proxies>
              """,
              proxy.port()));
      assertThat(resolve()).hasContent("words");
    }
  }

  @Test
  void rejectsJarWhoseChecksumDiffersFromRepository() throws IOException {
    try (TestRepository repository = TestRepository.with(IN_REPOSITORY, "words")) {
      repository.put(IN_REPOSITORY + ".sha1", "0".repeat(40));
      settings(mirror(repository));
      assertThatThrownBy(this::resolve)
          .isInstanceOf(StillhouseException.class)
          .hasMessageStartingWith("'org.example:words:1.0' was downloaded with a wrong checksum: ")
          .hasMessageEndingWith(
              "; try again; if that does not help, ask the administrator of the repository or its"
                  + " mirror");
      assertThat(home.resolve(".m2/repository").resolve(IN_REPOSITORY)).doesNotExist();
    }
  }

  @Test
  void namesRepositoriesThatLackJar() throws IOException {
    try (TestRepository repository = TestRepository.with("other.jar", "words")) {
      settings(mirror(repository));
      assertThatThrownBy(this::resolve)
          .isInstanceOf(StillhouseException.class)
          .hasMessage(
              "no Maven repository has 'org.example:words:1.0': it is not in ours; check the"
                  + " coordinates, or add a repository that has it to '%s'",
              home.resolve(".m2/settings.xml"));
    }
  }

  @Test
  void saysWhereToPutJarIfRepositoryCannotBeReached() throws IOException {
    int closed;
    try (ServerSocket socket = new ServerSocket(0)) {
      closed = socket.getLocalPort();
    }
    settings(mirror("http://127.0.0.1:" + closed));
    assertThatThrownBy(this::resolve)
        .isInstanceOf(UnavailableException.class)
        .hasMessageStartingWith("'org.example:words:1.0' could not be downloaded: ")
        .hasMessageContaining("refused")
        .hasMessageEndingWith(
            "check the network and the mirrors, proxies and servers in '%s', or put the jar at"
                + " '%s'",
            home.resolve(".m2/settings.xml"), home.resolve(".m2/repository/" + IN_REPOSITORY));
  }

  @Test
  void saysWhereToPutJarIfSettingsAreOffline() throws IOException {
    settings("<offline>true</offline>");
    assertThatThrownBy(this::resolve)
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'org.example:words:1.0' is not in the local repository, and Maven is set to"
                + " offline mode; put the jar at '%s', or remove <offline> from '%s'",
            home.resolve(".m2/repository/" + IN_REPOSITORY), home.resolve(".m2/settings.xml"));
  }

  @Test
  void rejectsSettingsThatAreNotXml() throws IOException {
    settings("<mirrors>");
    assertThatThrownBy(this::resolve)
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("Maven's settings cannot be read: ")
        .hasMessageEndingWith("; correct '%s'", home.resolve(".m2/settings.xml"));
  }

  @Test
  void rejectsJarWithAnotherChecksum() throws IOException {
    Path jar = home.resolve(".m2/repository").resolve(IN_REPOSITORY);
    Files.createDirectories(jar.getParent());
    Files.writeString(jar, "abc");
    String abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    assertThat(ARTIFACT.resolve(read(Map.of()), abc)).isEqualTo(jar);
    String other = "0".repeat(64);
    assertThatThrownBy(() -> ARTIFACT.resolve(read(Map.of()), other))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' is not the jar of org.example:words:1.0 that was published: its SHA-256 is %s,"
                + " not %s; delete it, and try again; if that does not help, ask the"
                + " administrator of the repository or its mirror",
            jar, abc, other);
  }

  @Test
  void rejectsIncompleteCoordinates() {
    assertThatThrownBy(() -> MavenArtifact.parse("org.example:words"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("a Maven artifact must be group:artifact:version, but is 'org.example:words'");
  }

  private Path resolve() throws IOException {
    return ARTIFACT.resolve(read(Map.of()), null);
  }

  private MavenSettings read(Map<String, String> environment) {
    return MavenSettings.of(home, environment);
  }

  private void settings(String elements) throws IOException {
    Files.createDirectories(home.resolve(".m2"));
    Files.writeString(home.resolve(".m2/settings.xml"), "<settings>" + elements + "</settings>");
  }

  private static String mirror(TestRepository repository) {
    return mirror(repository.url());
  }

  private static String mirror(String url) {
    return format(
        "<mirrors><mirror><id>ours</id><mirrorOf>*</mirrorOf><url>%s</url></mirror></mirrors>",
        url);
  }
}
