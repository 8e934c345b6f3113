package io.stillhouse.jobs.train.metrics;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.Steps;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class LiveMetricsTest {
  @TempDir private Path directory;

  private static SparkSession spark;

  @BeforeAll
  static void startsWithPrometheusPage() {
    Tiny.spark().stop();
    spark =
        SparkSession.builder()
            .master("local[1]")
            .config("spark.ui.enabled", true)
            .config("spark.ui.port", 0)
            .config("spark.metrics.namespace", "stillhouse")
            .config(
                "spark.metrics.conf.*.sink.prometheusServlet.class",
                "org.apache.spark.metrics.sink.PrometheusServlet")
            .config("spark.metrics.conf.*.sink.prometheusServlet.path", "/metrics/prometheus")
            .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
  }

  @AfterAll
  static void stopsSession() {
    spark.stop();
  }

  @Test
  void writesEachStepOnce() throws IOException {
    try (LiveMetrics live = open()) {
      live.show(Map.of());
      live.show(Map.of("one", Steps.of(2)));
      live.show(Map.of("one", Steps.of(2), "two", Steps.of(1)));
      live.show(Map.of("one", Steps.of(1), "two", Steps.of(3)));
    }
    assertThat(steps("one")).containsExactly(2);
    assertThat(steps("two")).containsExactly(1, 3);
  }

  @Test
  void stepsAreReadableDuringTraining() throws IOException {
    try (LiveMetrics live = open()) {
      live.show(Map.of("one", Steps.of(2)));
      assertThat(steps("one")).containsExactly(2);
      assertThat(Files.size(events("one").get(0))).isPositive();
    }
  }

  @Test
  void resumedRunAppendsLinesAndOpensAnotherEventFile() throws Exception {
    try (LiveMetrics live = open()) {
      live.show(Map.of("one", Steps.of(5)));
    }
    Thread.sleep(2); // event files are named by the millisecond
    try (LiveMetrics live = open()) {
      live.show(Map.of("one", Steps.of(4)));
      live.show(Map.of("one", Steps.of(6)));
    }
    assertThat(steps("one")).containsExactly(5, 4, 6);
    assertThat(events("one")).hasSize(2);
  }

  @Test
  void writesNothingIfMetricsAreNone() throws IOException {
    try (LiveMetrics live = open("train.metrics=none")) {
      live.show(Map.of("one", Steps.of(1)));
      assertThat(page("prometheus")).contains("metrics_stillhouse_driver_train_one_step_Value");
    }
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void writesToDirectoryOfRecipe() throws IOException {
    Path elsewhere = directory.resolve("elsewhere");
    try (LiveMetrics live = open("train.metrics=" + elsewhere)) {
      live.show(Map.of("one", Steps.of(1)));
    }
    assertThat(elsewhere.resolve("one/steps.jsonl")).exists();
    assertThat(directory.resolve("_metrics")).doesNotExist();
  }

  @Test
  void gaugesWorkWithoutFiles() throws IOException {
    Files.writeString(directory.resolve("_metrics"), "a file, not a directory");
    try (LiveMetrics live = open()) {
      live.show(Map.of("one", Steps.of(1)));
      live.show(Map.of("one", Steps.of(2)));
      assertThat(page("prometheus"))
          .contains("metrics_stillhouse_driver_train_one_step_Value{type=\"gauges\"} 2\n");
    }
    assertThat(directory.resolve("_metrics")).hasContent("a file, not a directory");
  }

  @Test
  void prometheusReadsNewestStep() throws IOException {
    try (LiveMetrics live = open()) {
      live.show(Map.of("one", Steps.of(1)));
      live.show(Map.of("one", Steps.of(4)));
      String gauge = "metrics_stillhouse_driver_train_one_%s_Value{type=\"gauges\"} %s\n";
      assertThat(page("prometheus"))
          .contains(
              format(gauge, "loss", "2.5"),
              format(gauge, "soft_label", "1.25"),
              format(gauge, "hard_label", "0.625"),
              format(gauge, "learning_rate", "3.0E-5"),
              format(gauge, "gradient_norm", "1.25"),
              format(gauge, "tokens_per_second", "512.0"),
              format(gauge, "wait_share", "0.25"),
              format(gauge, "step", "4"),
              format(gauge, "steps", "10"));
      assertThat(page("json")).contains("\"stillhouse.driver.train.one.loss\"");
    }
    assertThat(page("prometheus")).doesNotContain("train_one");
  }

  @Test
  void progressShowsOnlyLossesOfFinishedStudents() {
    Map<String, StepReport> latest = new TreeMap<>(Map.of("one", Steps.of(4), "two", Steps.of(10)));
    assertThat(LiveMetrics.line(latest))
        .isEqualTo(
            "one loss 2.500 soft-label 1.250 hard-label 0.625 rate 3.0e-05 gradient 1.25 512"
                + " tokens/s waiting 25 %; two loss 1.000 soft-label 0.500 hard-label 0.250");
  }

  private LiveMetrics open(String... more) {
    Settings settings = TinyRecipe.empty().settings(more);
    return LiveMetrics.open(settings, new Storage(new Configuration()), directory.toString());
  }

  private List<Integer> steps(String student) throws IOException {
    return Files.readAllLines(directory.resolve("_metrics").resolve(student).resolve("steps.jsonl"))
        .stream()
        .map(line -> JsonParser.parseString(line).getAsJsonObject().get("step").getAsInt())
        .toList();
  }

  private List<Path> events(String student) throws IOException {
    try (var files = Files.list(directory.resolve("_metrics").resolve(student))) {
      return files.filter(file -> file.getFileName().toString().contains("tfevents")).toList();
    }
  }

  private static String page(String name) {
    URI uri = URI.create(spark.sparkContext().uiWebUrl().get() + format("/metrics/%s/", name));
    try {
      return HttpClient.newHttpClient()
          .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
          .body();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
