package io.stillhouse.jobs.cache.check;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.build.RowKeys;
import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.apache.hadoop.fs.Path;
import org.apache.spark.TaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks files against the hashes in the manifest and the row keys in the plan, inside a task.
 *
 * @param cache directory of the cache
 * @param keys hash of the row keys of each shard, as planned
 */
record FileCheck(String cache, Map<Integer, String> keys) implements Serializable {
  private static final Logger LOG = LoggerFactory.getLogger(FileCheck.class);

  /** A damaged file, and what is wrong with it. */
  record Fault(CacheFile file, String reason) implements Serializable {}

  /**
   * Checks the files of one task, and returns the damaged ones.
   *
   * @param done receives 1 after each file
   */
  Iterator<Fault> check(Iterator<CacheFile> files, LongConsumer done) {
    TaskContext task = TaskContext.get();
    long start = System.nanoTime();
    LOG.info("part {}, attempt {}: starting", task.partitionId(), task.attemptNumber());
    List<Fault> faults = new ArrayList<>();
    int count = 0;
    while (files.hasNext()) {
      CacheFile file = files.next();
      String reason = fault(file);
      if (reason != null) {
        faults.add(new Fault(file, reason));
      }
      count++;
      done.accept(1);
    }
    LOG.info(
        "part {}, attempt {}: checked {} files in {} s, {} of them damaged",
        task.partitionId(),
        task.attemptNumber(),
        count,
        format("%.1f", (System.nanoTime() - start) / 1e9),
        faults.size());
    return faults.iterator();
  }

  /** Returns what is wrong with a file, or null if nothing is. */
  private @Nullable String fault(CacheFile file) {
    Storage storage = Storage.ofThisProcess();
    CheckedFile checked = new CheckedFile(storage, new Path(cache), file);
    try {
      checked.verify();
      return RowKeys.hash(RowKeys.read(checked, storage)).equals(keys.get(file.shard()))
          ? null
          : "its row keys differ from those in the plan";
    } catch (StillhouseException e) {
      return e.getMessage();
    } catch (IOException e) { // such as a bad sector, or a block without replicas
      return "it cannot be read: " + e;
    }
  }
}
