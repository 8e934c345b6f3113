package io.stillhouse.jobs.plan;

import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.net.InetAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * The probe's directory, in the nearest existing parent directory of the planned cache. It is
 * deleted when the probe is closed or the process exits. If the process was killed, the next probe
 * on the same machine deletes it.
 */
final class Scratch implements AutoCloseable {
  private static final String PREFIX = "_stillhouse-plan-";
  private static final Pattern DIRECTORY_NAME =
      Pattern.compile(Pattern.quote(PREFIX) + "(.+)-(\\d+)");

  private final Storage storage;
  private final Path directory;
  private final Thread atExit = new Thread(this::deleteQuietly, "delete the probe");

  private Scratch(Storage storage, Path directory) {
    this.storage = storage;
    this.directory = directory;
  }

  /** Deletes the directories of probes that were killed, and creates one. */
  static Scratch open(Storage storage, Path cache) throws IOException {
    Path home = existing(storage, cache.getParent());
    String host = InetAddress.getLocalHost().getHostName();
    for (FileStatus status : storage.fileSystem(home).listStatus(home)) {
      Matcher ours = DIRECTORY_NAME.matcher(status.getPath().getName());
      if (ours.matches()
          && ours.group(1).equals(host)
          && !otherIsAlive(Long.parseLong(ours.group(2)))) {
        storage.fileSystem(home).delete(status.getPath(), true);
      }
    }
    Path directory = new Path(home, PREFIX + host + "-" + ProcessHandle.current().pid());
    storage.fileSystem(directory).mkdirs(directory);
    Scratch scratch = new Scratch(storage, directory);
    Runtime.getRuntime().addShutdownHook(scratch.atExit);
    return scratch;
  }

  /** Returns whether another process with that id is alive. */
  private static boolean otherIsAlive(long pid) {
    return pid != ProcessHandle.current().pid()
        && ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }

  /** Returns a path if it exists, or else its nearest parent that does. */
  static Path existing(Storage storage, Path path) throws IOException {
    Path nearest = path;
    while (!storage.exists(nearest)) {
      nearest = nearest.getParent();
    }
    return nearest;
  }

  Path path(String name) {
    return new Path(directory, name);
  }

  void delete(Path path) throws IOException {
    storage.fileSystem(path).delete(path, true);
  }

  @Override
  public void close() throws IOException {
    Runtime.getRuntime().removeShutdownHook(atExit);
    delete(directory);
  }

  private void deleteQuietly() {
    try {
      delete(directory);
    } catch (IOException e) {
      // The next probe on this machine deletes it.
    }
  }
}
