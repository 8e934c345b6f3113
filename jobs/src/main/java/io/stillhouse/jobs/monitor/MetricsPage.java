package io.stillhouse.jobs.monitor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;

/** The page of Spark's UI that Prometheus reads: {@code /metrics/stillhouse}. */
public final class MetricsPage {
  /** The path's parts. Jetty would redirect a path without a part below the context. */
  private static final String CONTEXT = "/metrics";

  private static final String NAME = "/stillhouse";
  static final String PATH = CONTEXT + NAME;

  private static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
  private static final String NO_GROUP = "other";

  private MetricsPage() {}

  /**
   * Adds the page to the UI of a session, without the values of an earlier one, and counts its
   * tasks.
   *
   * @param command name of the command
   */
  public static void attach(SparkContext context, String command) {
    Metrics.clear();
    Metrics.set(Metric.INFO, 1, command, context.applicationId());
    context.addSparkListener(new Tasks());
    if (context.ui().isDefined()) {
      context.ui().get().attachHandler(CONTEXT, new Page(), NAME);
    }
  }

  private static final class Page extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      response.setContentType(CONTENT_TYPE);
      response.setHeader("Cache-Control", "no-store");
      response.getOutputStream().write(Metrics.page().getBytes(StandardCharsets.UTF_8));
    }
  }

  /** Counts running and failed tasks by job group. */
  private static final class Tasks extends SparkListener {
    private final Map<Integer, String> groups = new ConcurrentHashMap<>();

    @Override
    public void onStageSubmitted(SparkListenerStageSubmitted stage) {
      Properties properties = stage.properties();
      String group = properties == null ? null : properties.getProperty("spark.jobGroup.id");
      groups.put(stage.stageInfo().stageId(), group == null ? NO_GROUP : group);
    }

    @Override
    public void onTaskStart(SparkListenerTaskStart task) {
      Metrics.add(Metric.TASKS_RUNNING, 1, group(task.stageId()));
      Metrics.add(Metric.TASK_FAILURES_TOTAL, 0, group(task.stageId()));
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd task) {
      Metrics.add(Metric.TASKS_RUNNING, -1, group(task.stageId()));
      if (task.reason() instanceof TaskFailedReason failed && failed.countTowardsTaskFailures()) {
        Metrics.add(Metric.TASK_FAILURES_TOTAL, 1, group(task.stageId()));
      }
    }

    private String group(int stage) {
      return groups.getOrDefault(stage, NO_GROUP);
    }
  }
}
