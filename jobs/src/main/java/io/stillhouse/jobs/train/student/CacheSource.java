package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/**
 * One teacher's targets in a cache, as they were when a training was planned.
 *
 * @param cache the cache's directory
 * @param teacher the recipe's {@code teacher.name}, "" for the cache's first teacher
 * @param fingerprints the fingerprints of the cache's plan
 */
public record CacheSource(String cache, String teacher, Map<String, String> fingerprints)
    implements Serializable {

  /**
   * Opens the cache without target columns.
   *
   * @param run the student that reads it
   * @throws io.stillhouse.error.StillhouseException if the cache has grown since the training began
   */
  CacheReader open(Storage storage, StudentRun run) throws IOException {
    CacheReader reader = TaskCaches.open(storage, new Path(cache), teacher);
    if (!reader.plan().fingerprints().equals(fingerprints)) {
      throw Errors.invalid(
          format("cache '%s' has grown since the training of '%s' began", cache, run.name()),
          format("delete its checkpoints '%s' and run train again", run.checkpoints()));
    }
    return reader;
  }
}
