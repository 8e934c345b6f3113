package io.stillhouse.jobs.spark;

import io.stillhouse.error.Secrets;
import java.io.Serializable;
import java.util.HashMap;
import org.apache.logging.log4j.CloseableThreadContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.deploy.SparkHadoopUtil;

/**
 * The log of a job's tasks: which shard or student a line is about, and without the driver's
 * secrets. It is created on the driver and travels to the executors with the code of the tasks,
 * where it is neither shown nor logged.
 */
public final class TaskLog implements Serializable {
  private static final long serialVersionUID = 1L;

  /** The keys of Log4j's thread context that lines of a task may have. */
  public static final String SHARD = "shard";

  public static final String STUDENT = "student";
  public static final String ROUND = "round";

  /** Spark copies local properties with this prefix into the context of a job's tasks. */
  static final String JOB = "mdc.job";

  private final HashMap<String, String> secrets = new HashMap<>(Secrets.known());

  private TaskLog() {}

  /** Creates the log of tasks that this driver starts. */
  public static TaskLog create() {
    return new TaskLog();
  }

  /**
   * Labels the lines that this thread logs until the result is closed.
   *
   * @param key {@link #SHARD}, {@link #STUDENT} or {@link #ROUND}
   */
  public Scope label(String key, Object value) {
    secrets.forEach((secret, name) -> Secrets.remember(name, secret));
    SparkEnv env = SparkEnv.get();
    if (env != null) {
      SecretFreeLog.install(SparkHadoopUtil.get().newConfiguration(env.conf()));
    }
    CloseableThreadContext.Instance labels = CloseableThreadContext.put(key, value.toString());
    return new Scope(labels);
  }

  /** Labels of this thread's log lines. */
  public static final class Scope implements AutoCloseable {
    private final CloseableThreadContext.Instance labels;

    private Scope(CloseableThreadContext.Instance labels) {
      this.labels = labels;
    }

    /** Adds a label. */
    public Scope with(String key, Object value) {
      labels.put(key, value.toString());
      return this;
    }

    @Override
    public void close() {
      labels.close();
    }
  }
}
