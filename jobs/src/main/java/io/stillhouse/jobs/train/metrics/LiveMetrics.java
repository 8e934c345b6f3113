package io.stillhouse.jobs.train.metrics;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.monitor.Metric;
import io.stillhouse.jobs.monitor.Metrics;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.metrics.MetricsSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes the newest step of each student during training, on the driver: as a line of JSON, as
 * an event for TensorBoard, and as metrics for Prometheus and for Spark's sinks. Write errors are
 * logged once and never stop training.
 */
public final class LiveMetrics implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LiveMetrics.class);
  private static final String NONE = "none";

  private final Storage storage;
  private final String directory;
  private final MetricsSystem spark;
  private final Map<String, StepSource> gauges = new HashMap<>();
  private final Map<String, List<StepWriter>> files = new HashMap<>();
  private final Map<String, Long> written = new HashMap<>();
  private final Set<String> finished = new HashSet<>();
  private int finishedBefore;
  private boolean writes;
  private boolean closed;

  private LiveMetrics(Storage storage, String directory, MetricsSystem spark) {
    this.storage = storage;
    this.directory = directory;
    this.spark = spark;
    this.writes = !directory.equals(NONE);
  }

  /** Returns whether a setting names a directory. */
  public static boolean isDirectory(String setting) {
    return !setting.isEmpty() && !setting.equals(NONE);
  }

  /**
   * Creates the metrics of a recipe, without opening files yet.
   *
   * @param students the directory of all students
   */
  public static LiveMetrics open(Settings settings, Storage storage, String students) {
    String given = settings.get(Options.METRICS);
    String directory = given.isEmpty() ? new Path(students, "_metrics").toString() : given;
    return new LiveMetrics(storage, directory, SparkEnv.get().metricsSystem());
  }

  /** Returns one line about the newest steps; for a finished student, only its losses. */
  public static String line(Map<String, StepReport> latest) {
    StringBuilder line = new StringBuilder();
    latest.forEach(
        (name, step) -> {
          line.append(line.isEmpty() ? "" : "; ").append(format("%s loss %.3f", name, step.loss()));
          step.terms().forEach((term, value) -> line.append(format(" %s %.3f", term.id(), value)));
          if (step.step() < step.steps()) {
            line.append(
                format(
                    " rate %.1e gradient %.2f %,.0f tokens/s waiting %.0f %%",
                    step.optimizer().learningRate(),
                    step.optimizer().gradientNorm(),
                    step.work().tokensPerSecond(),
                    100 * step.work().waitShare()));
          }
        });
    return line.toString();
  }

  /**
   * Publishes how many students there are.
   *
   * @param all the number of students of the command
   * @param done how many of them were finished before it
   */
  public synchronized void students(int all, int done) {
    finishedBefore = done;
    Metrics.set(Metric.TRAIN_STUDENTS, all);
    Metrics.set(Metric.TRAIN_STUDENTS_DONE, done);
  }

  /** Publishes the newest step of each student, unless it has already been written. */
  public synchronized void show(Map<String, StepReport> latest) {
    if (closed) {
      return;
    }
    latest.forEach(
        (name, step) -> {
          gauges.computeIfAbsent(name, absent -> register(absent, step)).set(step);
          publish(name, step);
          if (writes && step.step() > written.getOrDefault(name, 0L)) {
            written.put(name, step.step());
            write(name, step);
          }
        });
  }

  private void publish(String student, StepReport step) {
    Metrics.set(Metric.TRAIN_STEP, step.step(), student);
    Metrics.set(Metric.TRAIN_STEPS, step.steps(), student);
    Metrics.set(Metric.TRAIN_LOSS, step.loss(), student);
    step.terms()
        .forEach((term, loss) -> Metrics.set(Metric.TRAIN_TERM_LOSS, loss, student, term.id()));
    Metrics.set(Metric.TRAIN_LEARNING_RATE, step.optimizer().learningRate(), student);
    Metrics.set(Metric.TRAIN_GRADIENT_NORM, step.optimizer().gradientNorm(), student);
    Metrics.set(Metric.TRAIN_TOKENS_PER_SECOND, step.work().tokensPerSecond(), student);
    Metrics.set(Metric.TRAIN_WAIT_RATIO, step.work().waitShare(), student);
    if (step.step() == step.steps() && finished.add(student)) {
      Metrics.set(Metric.TRAIN_STUDENTS_DONE, finishedBefore + finished.size());
    }
  }

  private StepSource register(String name, StepReport step) {
    StepSource source = new StepSource(name, step);
    spark.registerSource(source);
    return source;
  }

  private void write(String name, StepReport step) {
    try {
      List<StepWriter> opened = files.get(name);
      if (opened == null) {
        opened = open(name);
      }
      Instant now = Instant.now();
      for (StepWriter file : opened) {
        file.write(step, now);
      }
      if (step.step() == step.steps()) {
        files.remove(name); // a sweep may have more students than the limit of open files
        close(opened);
      }
    } catch (IOException | RuntimeException e) {
      stopWriting(e);
    }
  }

  private List<StepWriter> open(String name) throws IOException {
    List<StepWriter> opened = new ArrayList<>();
    files.put(name, opened);
    Path student = new Path(storage.qualify(directory), name);
    long now = System.currentTimeMillis();
    String lines = storage.isLocal(student) ? "steps.jsonl" : format("steps-%d.jsonl", now);
    String events = format("events.out.tfevents.%d.%03d", now / 1000, now % 1000);
    opened.add(new JsonLines(storage.openGrowing(new Path(student, lines))));
    opened.add(new TensorBoardFile(storage.openGrowing(new Path(student, events))));
    return opened;
  }

  private void stopWriting(Exception reason) {
    if (writes) {
      LOG.warn(
          "training continues, but its metrics are no longer written to '{}' ({}); make the "
              + "directory writable, or set train.metrics to another directory or to none",
          directory,
          reason.toString());
    }
    writes = false;
    closeFiles();
  }

  private void closeFiles() {
    List<StepWriter> all = files.values().stream().flatMap(List::stream).toList();
    files.clear();
    close(all);
  }

  private void close(List<StepWriter> all) {
    for (StepWriter file : all) {
      try {
        file.close();
      } catch (IOException | RuntimeException e) {
        stopWriting(e);
      }
    }
  }

  /** Closes the files and removes the gauges. */
  @Override
  public synchronized void close() {
    closed = true;
    closeFiles();
    gauges.values().forEach(spark::removeSource);
  }
}
