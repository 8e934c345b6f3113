package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** The version of this program, which the build writes into a resource file. */
public final class CodeVersion {
  private static final String FILE = "version.properties";

  private CodeVersion() {}

  /**
   * Returns the version with the commit that it was built from, such as {@code 0.1.0 (a50e7c0)}, or
   * without it if it was not built in a Git repository.
   */
  public static String current() {
    Properties properties = new Properties();
    try (InputStream file = CodeVersion.class.getResourceAsStream(FILE)) {
      if (file != null) {
        properties.load(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("resource file " + FILE + " cannot be read", e);
    }
    return of(properties);
  }

  static String of(Properties properties) {
    String version = properties.getProperty("git.build.version", "unknown");
    String commit = properties.getProperty("git.commit.id.abbrev", "");
    if (commit.isEmpty()) {
      return version;
    }
    boolean changed = properties.getProperty("git.dirty", "false").equals("true");
    return format("%s (%s%s)", version, commit, changed ? ", with local changes" : "");
  }
}
