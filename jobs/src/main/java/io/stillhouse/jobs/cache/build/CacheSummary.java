package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * Creates the record of a run.
 *
 * @param teacher name of the run's teacher, "" for the first one
 * @param columns target columns that every shard has
 */
record CacheSummary(Path cache, String teacher, List<String> columns) {

  /**
   * Returns the record of a run.
   *
   * @param totals what the run computed
   * @param planning seconds before the first task
   * @param computing seconds after that, without loading the teacher
   */
  CacheRecord record(
      CachePlan plan,
      ManifestLog manifest,
      TeacherStage.Totals totals,
      double planning,
      double computing) {
    long bytes =
        manifest.state().droppedBytes()
            + manifest.state().files().stream().mapToLong(file -> file.size().bytes()).sum();
    return new CacheRecord(
        cache.toString(),
        new CacheRecord.Corpus(
            plan.corpus().rows(),
            plan.corpus().tokens(),
            plan.shards().size(),
            plan.corpus().blankRows(),
            plan.corpus().invalidRows() + manifest.state().invalidRows(teacher)),
        columns,
        manifest.entries(),
        new CacheRecord.Size(bytes, (double) bytes / plan.corpus().tokens()),
        new CacheRecord.Run(
            totals.shards(),
            new CacheRecord.Seconds(planning, totals.loadSeconds(), computing),
            perSecond(totals.tokens(), computing),
            perSecond(totals.rows(), computing)),
        manifest.state().dropped().size());
  }

  private static double perSecond(long count, double seconds) {
    return count == 0 ? 0 : count / seconds;
  }
}
