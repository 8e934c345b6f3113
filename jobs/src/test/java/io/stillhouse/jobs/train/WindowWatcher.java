package io.stillhouse.jobs.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Continuously counts the shards with target files of a cache. */
final class WindowWatcher {
  private static final Pattern TARGETS =
      Pattern.compile("(?:logits|hidden|attention)/shard-(\\d+)-.*\\.parquet");

  volatile int most;
  private volatile boolean ends;
  private final CompletableFuture<Void> watching;

  WindowWatcher(Path cache) {
    watching =
        CompletableFuture.runAsync(
            () -> {
              while (!ends) {
                try {
                  most = Math.max(most, targets(cache).size());
                  Thread.sleep(2);
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              }
            });
  }

  void close() throws Exception {
    ends = true;
    watching.get();
  }

  /** Returns the shards with target files on disk, including files being written. */
  static Set<Integer> targets(Path cache) throws IOException {
    Set<Integer> found = new TreeSet<>();
    for (String family : List.of("logits", "hidden", "attention")) {
      Path files = cache.resolve(family);
      if (Files.exists(files)) {
        try (var all = Files.list(files)) {
          for (Path file : all.toList()) {
            Matcher target = TARGETS.matcher(family + "/" + file.getFileName());
            if (target.matches()) {
              found.add(Integer.valueOf(target.group(1)));
            }
          }
        }
      }
    }
    return found;
  }

  /** Returns how many shards the manifest of a cache lists as dropped. */
  static int dropped(Path cache) throws IOException {
    Pattern entry = Pattern.compile("\"dropped\": \\{\\s*\"shards\": \\[([^\\]]*)\\]");
    int dropped = 0;
    try (var entries = Files.list(cache.resolve("manifest"))) {
      for (Path file : entries.filter(path -> path.toString().endsWith(".json")).toList()) {
        Matcher found = entry.matcher(Files.readString(file));
        dropped += found.find() ? found.group(1).split(",", -1).length : 0;
      }
    }
    return dropped;
  }
}
