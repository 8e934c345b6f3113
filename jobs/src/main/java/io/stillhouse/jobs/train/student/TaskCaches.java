package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * The caches that the tasks of this process have opened. A training in rounds starts a task for
 * every worker and round; each of them would otherwise read the entire manifest again. An entry is
 * valid while the names, sizes and modification times of the manifest's files are unchanged. Caches
 * with a rolling window are never kept, because their readers follow the manifest as it grows.
 */
final class TaskCaches {
  private static final int MAX_OPENED = 8;

  private static final Map<Key, CacheReader> OPENED =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, CacheReader> eldest) {
          return size() > MAX_OPENED;
        }
      };

  private TaskCaches() {}

  private record Key(Path cache, String teacher, String manifest) {}

  /** Opens a cache without target columns. */
  static CacheReader open(Storage storage, Path cache, String teacher) throws IOException {
    // The state is taken first: a reader may know more of the manifest than its key, never less.
    Key key = new Key(cache, teacher, manifestState(storage, cache));
    synchronized (OPENED) {
      CacheReader known = OPENED.get(key);
      if (known != null) {
        return known;
      }
    }
    CacheReader opened = CacheReader.open(storage, cache, teacher, List.of());
    if (opened.plan().window() == null) {
      synchronized (OPENED) {
        OPENED.put(key, opened);
      }
    }
    return opened;
  }

  private static String manifestState(Storage storage, Path cache) throws IOException {
    Path directory = new Path(cache, ManifestLog.DIRECTORY);
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return "";
    }
    FileStatus[] files = fs.listStatus(directory);
    Arrays.sort(files, Comparator.comparing(FileStatus::getPath));
    MessageDigest digest = Storage.digest();
    for (FileStatus file : files) {
      String state =
          format("%s %d %d\n", file.getPath().getName(), file.getLen(), file.getModificationTime());
      digest.update(state.getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
