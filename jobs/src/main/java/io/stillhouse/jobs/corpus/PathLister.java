package io.stillhouse.jobs.corpus;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.GlobPattern;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.UnsupportedFileSystemException;

/**
 * Finds the files that a user names by paths, directories and globs. A file that exists is taken
 * literally, whatever characters its name contains. Names that start with '_' or '.' are skipped in
 * directories, and in globs that do not start with the same character.
 */
final class PathLister {
  private static final String LOCAL = "file";

  private final Configuration hadoop;

  /**
   * @param hadoop a configuration whose local file system keeps no checksum files, so that names
   *     may contain colons
   */
  PathLister(Configuration hadoop) {
    this.hadoop = hadoop;
  }

  /**
   * Returns what the paths name, in order; what a glob matches is sorted. Paths that are parts of a
   * file name with commas are joined again if the first of them names nothing on its own.
   *
   * @throws StillhouseException if a path names nothing
   */
  List<FileStatus> named(List<String> paths) {
    List<FileStatus> all = new ArrayList<>();
    for (int at = 0; at < paths.size(); at++) {
      List<FileStatus> found = named(paths.get(at));
      if (found.isEmpty()) {
        int last = lastOfJoined(paths, at, all);
        if (last < 0) {
          throw Errors.noSuchPath("corpus", paths.get(at));
        }
        at = last;
      }
      all.addAll(found);
    }
    return all;
  }

  private List<FileStatus> named(String named) {
    try {
      Path path = literal(named);
      FileSystem fileSystem = path.getFileSystem(hadoop);
      try {
        return List.of(fileSystem.getFileStatus(path));
      } catch (FileNotFoundException e) {
        return globbed(fileSystem, path);
      }
    } catch (IOException e) {
      throw unreadable(named, e);
    }
  }

  private static List<FileStatus> globbed(FileSystem fileSystem, Path glob) throws IOException {
    FileStatus[] found;
    try {
      found = fileSystem.globStatus(glob);
    } catch (IllegalArgumentException e) { // Hadoop builds paths from names with a colon
      throw Errors.invalid(
          format(
              "the glob '%s' of the corpus matches a name with a colon, or is malformed (%s)",
              glob, e.getMessage()),
          "name the files one by one, or rename them",
          e);
    }
    String name = glob.getName();
    Path parent = glob.getParent();
    if (parent != null && LOCAL.equals(fileSystem.getUri().getScheme())) {
      GlobPattern pattern = new GlobPattern(name);
      requireNoBrokenLinks(new File(parent.toUri().getPath()), pattern::matches);
    }
    return Arrays.stream(found == null ? new FileStatus[0] : found)
        .filter(
            status ->
                !isHidden(status.getPath().getName())
                    || status.getPath().getName().charAt(0) == name.charAt(0))
        .sorted(Comparator.comparing(FileStatus::getPath))
        .toList();
  }

  /** Returns the path of a name, which is not read as a URI if a local file has that name. */
  private Path literal(String named) {
    boolean local = LOCAL.equals(FileSystem.getDefaultUri(hadoop).getScheme());
    if (local && named.contains(":")) {
      File file = new File(named);
      if (file.exists()) {
        return new Path(file.toPath().toAbsolutePath().normalize().toUri());
      }
    }
    try {
      return new Path(named);
    } catch (IllegalArgumentException e) {
      throw Errors.invalid(
          format("'%s' is not a path (%s)", named, e.getMessage()),
          "check the spelling of corpus.path",
          e);
    }
  }

  /** Adds the file whose name some paths form, and returns the index of the last one, or -1. */
  private int lastOfJoined(List<String> paths, int first, List<FileStatus> to) {
    for (String separator : List.of(", ", ",")) {
      for (int last = first + 1; last < paths.size(); last++) {
        String whole = String.join(separator, paths.subList(first, last + 1));
        try {
          Path path = literal(whole);
          to.add(path.getFileSystem(hadoop).getFileStatus(path));
          return last;
        } catch (FileNotFoundException e) {
          // there may be a longer name
        } catch (IOException e) {
          throw unreadable(whole, e);
        }
      }
    }
    return -1;
  }

  /** Returns the files at or below a path, sorted. */
  List<FileStatus> files(FileStatus named) {
    List<FileStatus> files = new ArrayList<>();
    try {
      addFiles(named.getPath().getFileSystem(hadoop), named, new HashSet<>(), files);
    } catch (IOException e) {
      throw unreadable(named.getPath().toString(), e);
    }
    files.sort(Comparator.comparing(FileStatus::getPath));
    return files;
  }

  /**
   * Adds files, as Spark would read them: it skips hidden names, except partitions such as _a=1.
   *
   * @param above the real paths of the local directories above, to find links that form a cycle
   */
  private static void addFiles(
      FileSystem fileSystem, FileStatus status, Set<java.nio.file.Path> above, List<FileStatus> to)
      throws IOException {
    if (status.isFile()) {
      to.add(status);
      return;
    }
    FileStatus[] children = fileSystem.listStatus(status.getPath());
    Set<java.nio.file.Path> path = new HashSet<>(above);
    if (LOCAL.equals(fileSystem.getUri().getScheme())) {
      File directory = new File(status.getPath().toUri().getPath());
      if (!path.add(directory.toPath().toRealPath())) {
        throw Errors.invalid(
            format("the directory '%s' of the corpus is a link to one that contains it", directory),
            "remove the link, or name files");
      }
      requireNoBrokenLinks(directory, name -> true);
    }
    for (FileStatus child : children) {
      String name = child.getPath().getName();
      if (!isHidden(name) || name.startsWith("_") && name.contains("=")) {
        addFiles(fileSystem, child, path, to);
      }
    }
  }

  /** Hadoop leaves broken links out of a listing. */
  private static void requireNoBrokenLinks(File directory, Predicate<String> names) {
    File[] all = directory.listFiles();
    for (File each : all == null ? new File[0] : all) {
      boolean listed = !isHidden(each.getName()) && names.test(each.getName());
      if (listed && !each.exists() && isLink(each)) {
        throw Errors.invalid(
            format("the file '%s' of the corpus is a link to a file that does not exist", each),
            "remove or correct the link");
      }
    }
  }

  private static boolean isLink(File file) {
    try {
      return Files.isSymbolicLink(file.toPath());
    } catch (InvalidPathException e) {
      throw Errors.invalid(
          format(
              "the corpus has a file '%s', whose name has a character that file names cannot have"
                  + " in the locale of this system",
              file),
          "set LC_ALL=C.UTF-8, or rename the file",
          e);
    }
  }

  private static boolean isHidden(String name) {
    return name.startsWith(".") || name.startsWith("_");
  }

  private static RuntimeException unreadable(String named, IOException e) {
    String message = String.valueOf(e.getMessage());
    boolean denied =
        e instanceof org.apache.hadoop.security.AccessControlException
            || message.contains("Permission denied")
            || message.contains("Invalid directory");
    if (denied) {
      return Errors.invalid(
          format("the corpus '%s' may not be read (%s)", named, message),
          "give the user that runs Spark permission to read it",
          e);
    }
    if (e instanceof UnsupportedFileSystemException || e instanceof UnknownHostException) {
      return Errors.invalid(
          format("the file system of the corpus '%s' is not available (%s)", named, message),
          "check its scheme and host, and add the module of the file system to Spark's jars",
          e);
    }
    return new UncheckedIOException(format("cannot list the corpus '%s'", named), e);
  }
}
