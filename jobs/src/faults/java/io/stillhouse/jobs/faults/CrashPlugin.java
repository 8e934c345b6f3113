package io.stillhouse.jobs.faults;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.apache.spark.TaskContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.util.TaskCompletionListener;

/**
 * A Spark plugin that reaches the crash points in the tasks of a training in rounds. {@link #jar}
 * writes the jar that adds it and {@link CrashingStorage} to the drivers and executors of the
 * commands under test.
 */
public final class CrashPlugin implements SparkPlugin {
  private static final List<Class<?>> CLASSES =
      List.of(CrashPlugin.class, Tasks.class, CrashingStorage.class, CrashPoint.class);

  /** Writes a jar with the crash points, and returns it. */
  static Path jar(Path file) {
    try {
      Files.createDirectories(file.getParent());
      try (OutputStream out = Files.newOutputStream(file);
          JarOutputStream jar = new JarOutputStream(out)) {
        for (Class<?> type : CLASSES) {
          String name = type.getName().replace('.', '/') + ".class";
          jar.putNextEntry(new JarEntry(name));
          try (InputStream bytes = CrashPlugin.class.getClassLoader().getResourceAsStream(name)) {
            bytes.transferTo(jar);
          }
        }
        jar.putNextEntry(
            new JarEntry("META-INF/services/io.stillhouse.jobs.storage.StorageListener"));
        jar.write(CrashingStorage.class.getName().getBytes(StandardCharsets.UTF_8));
      }
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public DriverPlugin driverPlugin() {
    return null; // Spark's interface uses null for none
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new Tasks();
  }

  /** Distinguishes the tasks of a round by the shuffle records that they have read and written. */
  private static final class Tasks implements ExecutorPlugin {
    @Override
    public void onTaskStart() {
      TaskContext task = TaskContext.get();
      String group = task.getLocalProperty("spark.jobGroup.id");
      if (group != null && group.startsWith("train ")) {
        // Listeners run before the executor sends the result; onTaskSucceeded runs after that.
        TaskCompletionListener listener =
            ended -> {
              if (!ended.isFailed()) {
                ended(ended);
              }
            };
        task.addTaskCompletionListener(listener);
      }
    }

    private static void ended(TaskContext task) {
      if (task.taskMetrics().shuffleWriteMetrics().recordsWritten() > 0) {
        CrashPoint.MAPPED.reached();
      } else if (task.taskMetrics().shuffleReadMetrics().recordsRead() > 0) {
        CrashPoint.SUMMING.reached();
      }
    }
  }
}
