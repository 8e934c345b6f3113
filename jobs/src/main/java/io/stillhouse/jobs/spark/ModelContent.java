package io.stillhouse.jobs.spark;

import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.jobs.storage.LocalCopy;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;

/**
 * What identifies a loaded model: a digest of its files, so that two paths with equal files share
 * one model, and a model that is trained again in place is loaded again.
 *
 * <p>A digest is computed once for each {@link DirectoryVersion} of a directory, and a task sees
 * one version of a directory until it ends. Copies of directories on other file systems are kept
 * for the versions that were used last, and deleted after the tasks that use them have ended.
 */
public final class ModelContent {
  private static final int MAX_DIGESTS = 256;
  private static final int MAX_COPIES = 16;

  private static final Map<Key, String> DIGESTS = LeastRecentlyUsed.map(MAX_DIGESTS);
  private static final TaskCache<DirectoryVersion, Path> COPIES = new TaskCache<>(MAX_COPIES);

  /** The directory versions that each running task has seen. */
  private static final Map<Long, Map<String, DirectoryVersion>> SEEN = new ConcurrentHashMap<>();

  private record Key(DirectoryVersion version, String part) {}

  /** Lists the files that a digest covers. */
  @FunctionalInterface
  private interface Part {
    List<Path> files(Path local) throws IOException;
  }

  private ModelContent() {}

  /** Returns the digest of a directory's config, weights and tokenizer. */
  public static String ofModel(String directory) throws IOException {
    return digest(directory, "model", ModelFiles::all);
  }

  /** Returns the digest of what determines a directory's tokenizer. */
  public static String ofTokenizer(String directory) throws IOException {
    return digest(directory, "tokenizer", ModelContent::tokenizerFiles);
  }

  /**
   * Returns the digest of a file of an export and of the other files that it needs: external data,
   * such as {@code model.onnx_data}, and the directory's config and tokenizer.
   *
   * @param file path of the file relative to the directory
   */
  public static String ofExport(String directory, String file) throws IOException {
    return digest(directory, file, local -> exportFiles(local, file));
  }

  /**
   * Returns the files that a file of an export needs: itself, the files whose names begin with its
   * name, such as {@code model.onnx_data}, and the directory's config and tokenizer.
   *
   * @param local the directory on this machine
   * @param file path of the file relative to the directory
   */
  public static List<Path> exportFiles(Path local, String file) throws IOException {
    List<Path> files = tokenizerFiles(local);
    Path export = local.resolve(file);
    Path folder = export.toAbsolutePath().getParent();
    String name = export.getFileName().toString();
    if (folder != null && Files.isDirectory(folder)) {
      try (Stream<Path> siblings = Files.list(folder)) {
        siblings
            .filter(Files::isRegularFile)
            .filter(each -> each.getFileName().toString().startsWith(name))
            .map(each -> export.resolveSibling(each.getFileName()))
            .sorted()
            .forEach(files::add);
      }
    }
    return files;
  }

  /**
   * Returns a local copy of a directory or file on any file system, which is kept until the calling
   * task ends; or the path itself if it is local.
   */
  public static synchronized Path copy(String path) throws IOException {
    Storage storage = Storage.ofThisProcess();
    org.apache.hadoop.fs.Path original = new org.apache.hadoop.fs.Path(path);
    if (storage.isLocal(original)) {
      return LocalCopy.of(storage, original).path();
    }
    return COPIES.get(
        version(path),
        () -> {
          LocalCopy copy = LocalCopy.of(storage, original);
          return new TaskCache.Loaded<>(copy.path(), copy);
        });
  }

  private static List<Path> tokenizerFiles(Path local) {
    List<Path> files = new ArrayList<>(ModelFiles.tokenizer(local));
    files.addAll(ModelFiles.config(local));
    return files;
  }

  private static synchronized String digest(String directory, String name, Part part)
      throws IOException {
    Key key = new Key(version(directory), name);
    String digest = DIGESTS.get(key);
    if (digest == null) {
      Path local = copy(directory);
      // A missing directory is reported by what opens it.
      digest = digest(local, Files.isDirectory(local) ? part.files(local) : List.of());
      DIGESTS.put(key, digest);
    }
    return digest;
  }

  private static String digest(Path directory, List<Path> files) throws IOException {
    MessageDigest digest = Storage.digest();
    byte[] buffer = new byte[1 << 16];
    for (Path file : files) {
      if (!Files.isRegularFile(file)) {
        continue; // reported by what opens it
      }
      String header = directory.relativize(file) + "\0" + Files.size(file) + "\0";
      digest.update(header.getBytes(StandardCharsets.UTF_8));
      try (InputStream in = Files.newInputStream(file)) {
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          digest.update(buffer, 0, n);
        }
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Returns the version that the calling task sees, which is the same until it ends. */
  private static DirectoryVersion version(String directory) throws IOException {
    TaskContext task = TaskContext.get();
    if (task == null) {
      return DirectoryVersion.read(directory);
    }
    Map<String, DirectoryVersion> seen = SEEN.get(task.taskAttemptId());
    if (seen == null) {
      seen = new HashMap<>();
      SEEN.put(task.taskAttemptId(), seen);
      TaskCompletionListener forget = ended -> SEEN.remove(ended.taskAttemptId());
      task.addTaskCompletionListener(forget);
    }
    DirectoryVersion version = seen.get(directory);
    if (version == null) {
      version = DirectoryVersion.read(directory);
      seen.put(directory, version);
    }
    return version;
  }
}
