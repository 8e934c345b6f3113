package io.stillhouse.jobs.storage;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.error.Errors;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.util.ShutdownHookManager;

/** Files on any Hadoop file system, always finished before they bear their name. */
public final class Storage {
  /** What JSON is written with: readable, nulls left out. */
  public static final Gson JSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeSpecialFloatingPointValues()
          .create();

  /** Those that rename a file only where none is, in one step, and whose tests say so. */
  private static final Set<String> EXCLUSIVE = Set.of("file", "hdfs");

  private static final long GROWING_BLOCK = 1 << 20;

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

  /**
   * Returns the storage that a task, or a program that spark-submit has started, sees. A bare
   * Configuration would lack {@code spark.hadoop.*}: the name services of a cluster, for one.
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

  /** As {@link #writeText}, in one step: whoever looks sees the older file or this one. */
  public void replaceText(Path path, String text) throws IOException {
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    Path temporary = temporary(path);
    try (OutputStream out = fs.create(temporary, true)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    if (isLocal(path)) {
      Files.move(nio(temporary), nio(path), StandardCopyOption.ATOMIC_MOVE);
    } else {
      FileContext.getFileContext(fs.getUri(), hadoop)
          .rename(temporary, path, org.apache.hadoop.fs.Options.Rename.OVERWRITE);
    }
  }

  /** Writes an object as JSON, as {@link #writeText} does. */
  public void writeJson(Path path, Object value) throws IOException {
    writeText(path, JSON.toJson(value) + "\n");
  }

  /**
   * Writes a file that is on disk, whole, before it bears its name, and bears it only where nothing
   * else does: of two writers one wins, and a killed one leaves nothing under the name.
   *
   * @throws FileAlreadyExistsException if something has the name
   */
  public void publishExclusively(Path path, byte[] bytes) throws IOException {
    Path temporary = temporary(path);
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    try {
      if (isLocal(path)) {
        write(nio(temporary), bytes, StandardOpenOption.CREATE_NEW);
        CrashPoint.WRITTEN.reached();
        link(nio(temporary), nio(path), bytes);
      } else {
        try (FSDataOutputStream out = fs.create(temporary, false)) {
          out.write(bytes);
          out.hsync();
        }
        CrashPoint.WRITTEN.reached();
        renameExclusively(temporary, path);
      }
      CrashPoint.PUBLISHED.reached();
    } finally {
      fs.delete(temporary, false);
    }
  }

  private static void write(
      java.nio.file.Path file, byte[] bytes, java.nio.file.OpenOption... options)
      throws IOException {
    Set<java.nio.file.OpenOption> all = new java.util.HashSet<>(Set.of(options));
    all.add(StandardOpenOption.WRITE);
    try (FileChannel channel = FileChannel.open(file, all)) {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
      channel.force(true);
    }
  }

  /** Gives a file a second name: unlike a rename on POSIX, this never replaces another file. */
  private static void link(java.nio.file.Path file, java.nio.file.Path name, byte[] bytes)
      throws IOException {
    try {
      Files.createLink(name, file);
    } catch (java.nio.file.FileAlreadyExistsException e) {
      throw taken(name, e);
    } catch (UnsupportedOperationException | FileSystemException e) {
      // No links here (FAT, some network mounts): still exclusive, but a kill may cut the file
      // short.
      try {
        write(name, bytes, StandardOpenOption.CREATE_NEW);
      } catch (java.nio.file.FileAlreadyExistsException taken) {
        throw taken(name, taken);
      }
    }
    if (name.getParent() != null) {
      try (FileChannel directory = FileChannel.open(name.getParent())) {
        directory.force(true); // else a power cut may lose the name though it keeps the bytes
      }
    }
  }

  /**
   * Renames a file or directory to a name that nothing bears: Hadoop's own rename moves a directory
   * into one that is there.
   *
   * @throws FileAlreadyExistsException if something has the name
   */
  public void renameExclusively(Path from, Path to) throws IOException {
    if (!isLocal(to)) {
      FileContext.getFileContext(fileSystem(to).getUri(), hadoop).rename(from, to);
      return;
    }
    try {
      Files.move(nio(from), nio(to), StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) {
      if (Files.exists(nio(to))) {
        throw taken(nio(to), e);
      }
      throw e;
    }
  }

  private static FileAlreadyExistsException taken(java.nio.file.Path name, IOException cause) {
    FileAlreadyExistsException taken =
        new FileAlreadyExistsException("'%s' exists already".formatted(name));
    taken.initCause(cause);
    return taken;
  }

  /**
   * Requires a path on a file system where a name can be given exclusively: without that two runs
   * at once both commit.
   */
  public Path requireExclusive(String what, String given) {
    String scheme = new Path(given).toUri().getScheme();
    if (scheme == null) {
      scheme = FileSystem.getDefaultUri(hadoop).getScheme();
    }
    if (!EXCLUSIVE.contains(scheme)) {
      throw Errors.invalid(
          "%s '%s' is on the file system '%s', where two runs at once could both commit: %s"
              .formatted(what, given, scheme, whyNot(scheme)),
          "name a path of file: or hdfs:, and copy the finished directory to where it shall lie");
    }
    return qualify(given);
  }

  private static String whyNot(String scheme) {
    return scheme.startsWith("s3")
        ? "S3A of Hadoop 3.3 has no call that creates a file only where none is"
        : "that it creates a file only where none is has been tested on file: and hdfs: alone";
  }

  /** Returns whether a path lies on this machine's own file system. */
  public boolean isLocal(Path path) throws IOException {
    return "file".equals(fileSystem(path).getUri().getScheme());
  }

  private java.nio.file.Path nio(Path local) {
    return java.nio.file.Path.of(qualify(local.toString()).toUri().getPath());
  }

  /**
   * Opens a file that others read while it is written: they see what was flushed. A local file is
   * appended to; elsewhere there must be none yet, since not every file system appends. Its blocks
   * are as small as HDFS makes them: one that is written to counts whole against a quota.
   */
  public OutputStream openGrowing(Path path) throws IOException {
    FileSystem fs = fileSystem(path);
    fs.mkdirs(path.getParent());
    if (isLocal(path)) {
      // Not by a channel: one of those closes if its thread is interrupted.
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

  /** Copies a local file or directory to a path that does not exist yet, all or nothing. */
  public void publish(java.nio.file.Path local, Path path) throws IOException {
    rename(copied(local, path), path);
  }

  /**
   * As {@link #publish}, of what is the same whoever makes it: where somebody has already, nothing
   * happens.
   */
  public void publishOnce(java.nio.file.Path local, Path path) throws IOException {
    if (exists(path)) {
      return;
    }
    Path temporary = copied(local, path);
    try {
      renameExclusively(temporary, path);
    } catch (IOException e) {
      fileSystem(path).delete(temporary, true);
      if (!exists(path)) {
        throw e;
      }
    }
  }

  private Path copied(java.nio.file.Path local, Path path) throws IOException {
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
    CrashPoint.COPIED.reached();
    return temporary;
  }

  /**
   * Returns a local copy of a file or directory, until the process ends; of a local one, itself.
   */
  public java.nio.file.Path local(Path path) throws IOException {
    if (isLocal(path)) {
      return nio(path);
    }
    java.nio.file.Path directory = Files.createTempDirectory("stillhouse");
    ShutdownHookManager.registerShutdownDeleteDir(directory.toFile());
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

  /** Requires that a file lies at a path that the user gave. */
  public Path requireFile(String what, String given) throws IOException {
    requireExisting(what, given);
    return requireNoDirectory(what, given);
  }

  /** Requires that a path that the user gave is a file's, or nothing's yet. */
  public Path requireNoDirectory(String what, String given) throws IOException {
    Path path = qualify(given);
    if (exists(path) && fileSystem(path).getFileStatus(path).isDirectory()) {
      throw Errors.invalid("%s '%s' is a directory".formatted(what, given), "name a file");
    }
    return path;
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
