package io.stillhouse.jobs.spark;

import java.util.Objects;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.filter.AbstractFilter;

/**
 * Drops a harmless error from the log. On a busy machine, a heartbeat of a local session can arrive
 * before its executor is registered, or after it is removed. Spark then asks the executor to
 * register its block manager again, which fails in local mode, because Spark 3.5 looks for the
 * scheduler of a cluster. The block manager is still registered, and later heartbeats succeed.
 */
final class ReregistrationFilter extends AbstractFilter {
  private static final String NO_SCHEDULER =
      "Cannot find endpoint: spark://CoarseGrainedScheduler@";

  /** Adds the filter to Spark's log, if Log4j writes it. */
  static void install() {
    if (LogManager.getContext(false) instanceof LoggerContext context
        && context.getConfiguration().getFilter() == null) {
      context.addFilter(new ReregistrationFilter());
    }
  }

  @Override
  public Result filter(LogEvent event) {
    for (Throwable thrown = event.getThrown(); thrown != null; thrown = thrown.getCause()) {
      if (Objects.requireNonNullElse(thrown.getMessage(), "").startsWith(NO_SCHEDULER)) {
        return Result.DENY;
      }
    }
    return Result.NEUTRAL;
  }
}
