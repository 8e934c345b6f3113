package io.stillhouse.jobs.faults;

import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/**
 * A resource manager and a node manager of YARN in this process, which start containers as
 * processes of this machine. This is the main class of {@code jobs/cluster/yarn}.
 */
final class YarnCluster {
  private static final Map<String, String> SETTINGS =
      Map.of(
          "yarn.scheduler.capacity.root.queues", "default",
          "yarn.scheduler.capacity.root.default.capacity", "100",
          "yarn.scheduler.capacity.maximum-am-resource-percent", "1.0",
          "yarn.scheduler.minimum-allocation-mb", "128",
          "yarn.nodemanager.resource.memory-mb", "8192",
          "yarn.nodemanager.resource.cpu-vcores", "8",
          // The JVM reserves more virtual memory than it uses.
          "yarn.nodemanager.vmem-check-enabled", "false",
          "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage", "100");

  private YarnCluster() {}

  /** Takes a directory, writes the clients' yarn-site.xml into it, and runs until it is killed. */
  public static void main(String[] args) throws Exception {
    YarnConfiguration configuration = new YarnConfiguration();
    SETTINGS.forEach(configuration::set);
    try (MiniYARNCluster cluster = new MiniYARNCluster("yarn", 1, 1, 1)) {
      cluster.init(configuration);
      cluster.start();
      Path site = Path.of(args[0], "yarn-site.xml");
      Path written = Path.of(args[0], "yarn-site.xml.new");
      try (OutputStream out = Files.newOutputStream(written)) {
        cluster.getConfig().writeXml(out);
      }
      Files.move(written, site);
      Thread.currentThread().join();
    } catch (Throwable failure) { // whose threads would keep the process alive
      failure.printStackTrace();
      System.exit(1);
    }
  }
}
