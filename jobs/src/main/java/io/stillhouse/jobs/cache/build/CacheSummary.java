package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.cache.layout.Manifest;
import io.stillhouse.jobs.cache.layout.Plan;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * Sums up a run for its record.
 *
 * @param teacher name of the run's teacher, "" for the first one
 * @param columns of targets that every shard has
 */
record CacheSummary(Path cache, String teacher, List<String> columns) {

  /**
   * Returns the record of a run.
   *
   * @param totals what the run computed
   * @param planning seconds before the first task
   * @param computing seconds after that, without those of loading the teacher
   */
  CacheRecord record(
      Plan plan, Manifest manifest, TeacherStage.Totals totals, double planning, double computing) {
    long bytes =
        manifest.droppedBytes()
            + manifest.files().stream().mapToLong(file -> file.size().bytes()).sum();
    return new CacheRecord(
        cache.toString(),
        plan.corpus().rows(),
        plan.corpus().tokens(),
        plan.shards().size(),
        plan.corpus().blankRows(),
        plan.corpus().invalidRows() + manifest.invalidRows(teacher),
        totals.shards(),
        columns,
        manifest.entries(),
        bytes,
        (double) bytes / plan.corpus().tokens(),
        new CacheRecord.Seconds(planning, totals.loadSeconds(), computing),
        perSecond(totals.tokens(), computing),
        perSecond(totals.rows(), computing),
        manifest.dropped().size());
  }

  private static double perSecond(long count, double seconds) {
    return count == 0 ? 0 : count / seconds;
  }
}
