package io.stillhouse.jobs.cache;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.error.Errors;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/** Files on any Hadoop file system, always finished before they bear their name. */
public final class Storage {
  /** What JSON is written with: readable, nulls left out. */
  public static final Gson JSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeSpecialFloatingPointValues()
          .create();

  private final Configuration hadoop;

  /**
   * Takes local files as they are: the side files of Hadoop's own checksums would be one more thing
   * to lose, and every byte has a hash of ours.
   */
  public Storage(Configuration hadoop) {
    this.hadoop = new Configuration(hadoop);
    this.hadoop.setClass("fs.file.impl", RawLocalFileSystem.class, FileSystem.class);
    this.hadoop.setBoolean("fs.file.impl.disable.cache", true);
  }

  public Configuration hadoop() {
    return hadoop;
  }

  /** Returns a path with its scheme and authority, so that it means the same on every machine. */
  public Path qualify(String path) {
    Path given = new Path(path);
    try {
      return given.getFileSystem(hadoop).makeQualified(given);
    } catch (IOException e) {
      throw Errors.invalid(
          "the file system of '%s' cannot be reached (%s)".formatted(path, e.getMessage()),
          "check the scheme, host and port",
          e);
    }
  }

  public FileSystem fileSystem(Path path) throws IOException {
    return path.getFileSystem(hadoop);
  }

  public boolean exists(Path path) throws IOException {
    return fileSystem(path).exists(path);
  }

  /** Returns a whole file as text. */
  public String readText(Path path) throws IOException {
    try (InputStream in = fileSystem(path).open(path)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Writes a file under a temporary name and renames it into place, over an older one. */
  public void writeText(Path path, String text) throws IOException {
    FileSystem fs = fileSystem(path);
    Path temporary = temporary(path);
    try (OutputStream out = fs.create(temporary, true)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    fs.delete(path, false);
    rename(temporary, path);
  }

  /** Writes an object as JSON, as {@link #writeText} does. */
  public void writeJson(Path path, Object value) throws IOException {
    writeText(path, JSON.toJson(value) + "\n");
  }

  /** Copies a local file or directory to a path that does not exist yet, all or nothing. */
  public void publish(java.nio.file.Path local, Path path) throws IOException {
    Path temporary = temporary(path);
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    FileUtil.copy(
        fileSystem(new Path(local.toUri())),
        new Path(local.toUri()),
        fs,
        temporary,
        false,
        true,
        hadoop);
    rename(temporary, path);
  }

  /** Returns a local copy of a file or directory; of a local one, itself. */
  public java.nio.file.Path local(Path path) throws IOException {
    if ("file".equals(fileSystem(path).getUri().getScheme())) {
      return java.nio.file.Path.of(qualify(path.toString()).toUri().getPath());
    }
    java.nio.file.Path directory = java.nio.file.Files.createTempDirectory("stillhouse");
    java.nio.file.Path copy = directory.resolve(path.getName());
    FileUtil.copy(fileSystem(path), path, copy.toFile(), false, hadoop);
    return copy;
  }

  /** Renames, failing where the file system only answers false. */
  public void rename(Path from, Path to) throws IOException {
    if (!fileSystem(from).rename(from, to)) {
      throw new IOException("cannot rename %s to %s".formatted(from, to));
    }
  }

  public long bytes(Path path) throws IOException {
    FileStatus status = fileSystem(path).getFileStatus(path);
    return status.getLen();
  }

  /** Returns the SHA-256 of a file. */
  public String sha256(Path path) throws IOException {
    MessageDigest digest = digest();
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = fileSystem(path).open(path)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Requires that something lies at a path that the user gave. */
  public Path requireExisting(String what, String given) throws IOException {
    Path path = qualify(given);
    try {
      fileSystem(path).getFileStatus(path);
      return path;
    } catch (FileNotFoundException e) {
      throw Errors.noSuchPath(what, given);
    }
  }

  /** Returns a fresh SHA-256. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path temporary(Path path) {
    return new Path(
        path.getParent(),
        "_" + path.getName() + "-" + UUID.randomUUID().toString().substring(0, 8));
  }
}
