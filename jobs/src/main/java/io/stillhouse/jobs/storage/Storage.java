package io.stillhouse.jobs.storage;

import static io.stillhouse.error.Text.format;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/** Files on any Hadoop file system. A file is complete before it gets its name. */
public final class Storage {
  /** Writes indented JSON and omits nulls. */
  public static final Gson JSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeSpecialFloatingPointValues()
          .create();

  /** File systems that were tested to rename a file atomically and only if the new name is free. */
  private static final Set<String> EXCLUSIVE = Set.of("file", "hdfs");

  private static final long GROWING_BLOCK = 1 << 20;

  private static final List<StorageListener> LISTENERS =
      ServiceLoader.load(StorageListener.class, Storage.class.getClassLoader()).stream()
          .map(ServiceLoader.Provider::get)
          .toList();

  private final Configuration hadoop;

  /**
   * Creates a storage without Hadoop's checksum files on local disks: the cache hashes every byte.
   */
  public Storage(Configuration hadoop) {
    this.hadoop = new Configuration(hadoop);
    this.hadoop.setClass("fs.file.impl", RawLocalFileSystem.class, FileSystem.class);
    this.hadoop.setBoolean("fs.file.impl.disable.cache", true);
  }

  /**
   * Returns the storage with the Hadoop configuration of this Spark process. A new {@link
   * Configuration} would lack {@code spark.hadoop.*}, such as a cluster's name services.
   */
  public static Storage ofThisProcess() {
    SparkEnv env = SparkEnv.get();
    return new Storage(
        env == null
            ? SparkHadoopUtil.get().conf()
            : SparkHadoopUtil.get().newConfiguration(env.conf()));
  }

  public Configuration hadoop() {
    return hadoop;
  }

  /** Returns a path with its scheme and authority, so that it means the same on every machine. */
  public Path qualify(String path) {
    if (Secrets.areInUrl(path)) {
      throw Errors.credentialsIn("the path", path);
    }
    Path given = new Path(path);
    try {
      return given.getFileSystem(hadoop).makeQualified(given);
    } catch (IOException e) {
      throw Errors.invalid(
          format("the file system of '%s' cannot be reached (%s)", path, e.getMessage()),
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

  /**
   * Writes a file and creates its directory. Replaces an existing file atomically: a reader sees
   * either the old or the new content.
   */
  public void writeText(Path path, String text) throws IOException {
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    Path temporary = temporary(path);
    try {
      try (OutputStream out = fs.create(temporary, true)) {
        out.write(text.getBytes(StandardCharsets.UTF_8));
      }
      if (isLocal(path)) {
        LocalFiles.replace(nio(temporary), nio(path));
      } else {
        FileContext.getFileContext(fs.getUri(), hadoop)
            .rename(temporary, path, org.apache.hadoop.fs.Options.Rename.OVERWRITE);
      }
    } catch (IOException e) {
      fs.delete(temporary, false);
      throw e;
    }
  }

  /** Writes a result as JSON without secret values, as {@link #writeText} does. */
  public void writeJson(Path path, Object value) throws IOException {
    writeText(path, json(value) + "\n");
  }

  /** Returns indented JSON without secret values, for files that users read. */
  public static String json(Object value) {
    return JSON.toJson(withoutSecrets(JSON.toJsonTree(value)));
  }

  private static JsonElement withoutSecrets(JsonElement value) {
    if (value.isJsonObject()) {
      JsonObject copy = new JsonObject();
      value.getAsJsonObject().asMap().forEach((key, part) -> copy.add(key, withoutSecrets(part)));
      return copy;
    }
    if (value.isJsonArray()) {
      JsonArray copy = new JsonArray();
      value.getAsJsonArray().forEach(part -> copy.add(withoutSecrets(part)));
      return copy;
    }
    return value.isJsonPrimitive() && value.getAsJsonPrimitive().isString()
        ? new JsonPrimitive(Secrets.hiddenIn(value.getAsString()))
        : value;
  }

  /**
   * Writes a file that is complete and on disk before it gets its name, which it gets only if the
   * name is free: one of two writers wins, and a killed writer leaves nothing under the name.
   *
   * @throws FileAlreadyExistsException if the name is taken
   */
  public void publishExclusively(Path path, byte[] bytes) throws IOException {
    notifyListeners(listener -> listener.publishing(path, bytes));
    Path temporary = temporary(path);
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    try {
      if (isLocal(path)) {
        LocalFiles.create(nio(temporary), bytes);
        notifyListeners(listener -> listener.written(path));
        LocalFiles.link(nio(temporary), nio(path), bytes);
      } else {
        try (FSDataOutputStream out = fs.create(temporary, false)) {
          out.write(bytes);
          out.hsync();
        }
        notifyListeners(listener -> listener.written(path));
        renameExclusively(temporary, path);
      }
      notifyListeners(listener -> listener.published(path));
    } finally {
      fs.delete(temporary, false);
    }
  }

  /**
   * Renames a file or directory to a name that is free. Hadoop's own rename would move a directory
   * into an existing one.
   *
   * @throws FileAlreadyExistsException if the name is taken
   */
  public void renameExclusively(Path from, Path to) throws IOException {
    notifyListeners(listener -> listener.renaming(from, to));
    if (!isLocal(to)) {
      FileContext.getFileContext(fileSystem(to).getUri(), hadoop).rename(from, to);
      return;
    }
    LocalFiles.move(nio(from), nio(to));
  }

  /**
   * Requires a path on a file system that can rename exclusively; on others, two concurrent runs
   * could both commit.
   */
  public Path requireExclusive(String what, String given) {
    String scheme = new Path(given).toUri().getScheme();
    if (scheme == null) {
      scheme = FileSystem.getDefaultUri(hadoop).getScheme();
    }
    if (!EXCLUSIVE.contains(scheme)) {
      throw Errors.invalid(
          format(
              "%s '%s' is on the file system '%s', where two concurrent runs could both commit: %s",
              what, given, scheme, reasonNotExclusive(scheme)),
          "name a path on file: or hdfs:, and copy the finished directory afterwards");
    }
    return qualify(given);
  }

  private static String reasonNotExclusive(String scheme) {
    return scheme.startsWith("s3")
        ? "S3A in Hadoop 3.3 has no operation that creates a file only if it does not exist"
        : "exclusive creation of files has been tested on file: and hdfs: only";
  }

  /** Returns whether a path is on the local file system. */
  public boolean isLocal(Path path) throws IOException {
    return "file".equals(fileSystem(path).getUri().getScheme());
  }

  private java.nio.file.Path nio(Path local) {
    return java.nio.file.Path.of(qualify(local.toString()).toUri().getPath());
  }

  /**
   * Opens a file that others can read while it is being written; they see what has been flushed. A
   * local file is appended to. On other file systems the file must not exist, since not all of them
   * can append. Its blocks are as small as HDFS allows: a block in use counts fully against a
   * quota.
   */
  public OutputStream openGrowing(Path path) throws IOException {
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    if (isLocal(path)) {
      // A channel would be closed if its thread were interrupted.
      return new FileOutputStream(nio(path).toFile(), true);
    }
    FSDataOutputStream file =
        fs.create(path, false, 4096, fs.getDefaultReplication(path), GROWING_BLOCK);
    return new FilterOutputStream(file) {
      @Override
      public void write(byte[] bytes, int from, int count) throws IOException {
        file.write(bytes, from, count);
      }

      @Override
      public void flush() throws IOException {
        file.hflush();
      }
    };
  }

  /**
   * Copies a local file or directory to a path that does not exist yet, completely or not at all.
   */
  public void publish(java.nio.file.Path local, Path path) throws IOException {
    rename(stage(local, path), path);
  }

  /**
   * Copies like {@link #publish}, unless the path exists: the content is the same, no matter which
   * task writes it.
   */
  public void publishOnce(java.nio.file.Path local, Path path) throws IOException {
    if (exists(path)) {
      return;
    }
    Path temporary = stage(local, path);
    try {
      renameExclusively(temporary, path);
    } catch (IOException e) {
      fileSystem(path).delete(temporary, true);
      if (!exists(path)) {
        throw e;
      }
    }
  }

  /**
   * Copies a local file or directory to a hidden name beside a path, and returns that name. The
   * caller renames it to the path, or deletes it.
   */
  public Path stage(java.nio.file.Path local, Path path) throws IOException {
    notifyListeners(listener -> listener.copying(path));
    Path temporary = temporary(path);
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    try {
      Path from = new Path(local.toUri());
      if (!FileUtil.copy(fileSystem(from), from, fs, temporary, false, true, hadoop)) {
        throw new IOException(format("cannot copy %s to %s", local, temporary));
      }
    } catch (IOException e) {
      fs.delete(temporary, true);
      throw e;
    }
    notifyListeners(listener -> listener.copied(path));
    return temporary;
  }

  /**
   * Returns a local copy of a file or directory, which is deleted when the process ends; or the
   * path itself if it is local.
   */
  public java.nio.file.Path local(Path path) throws IOException {
    return LocalCopy.of(this, path).path();
  }

  /** Renames a file or directory, and throws where the file system would only return false. */
  public void rename(Path from, Path to) throws IOException {
    if (!fileSystem(from).rename(from, to)) {
      throw new IOException(format("cannot rename %s to %s", from, to));
    }
  }

  /** Returns the length of a file. */
  public long bytes(Path path) throws IOException {
    return fileSystem(path).getFileStatus(path).getLen();
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

  /** Requires that a path that the user gave exists. */
  public Path requireExisting(String what, String given) throws IOException {
    Path path = qualify(given);
    try {
      fileSystem(path).getFileStatus(path);
      return path;
    } catch (FileNotFoundException e) {
      throw Errors.noSuchPath(what, given);
    }
  }

  /** Requires that a path that the user gave is a file. */
  public Path requireFile(String what, String given) throws IOException {
    requireExisting(what, given);
    return requireNoDirectory(what, given);
  }

  /** Requires that a path that the user gave is a file, or does not exist. */
  public Path requireNoDirectory(String what, String given) throws IOException {
    Path path = qualify(given);
    if (exists(path) && fileSystem(path).getFileStatus(path).isDirectory()) {
      throw Errors.invalid(format("%s '%s' is a directory", what, given), "name a file");
    }
    return path;
  }

  /** Returns a new SHA-256 digest. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void notifyListeners(Consumer<StorageListener> event) {
    LISTENERS.forEach(event);
  }

  private static Path temporary(Path path) {
    return new Path(
        path.getParent(),
        "_" + path.getName() + "-" + UUID.randomUUID().toString().substring(0, 8));
  }
}
