package io.stillhouse.jobs.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.train.TrainJob;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Scrapes the page of a running training, whose cache was written in the same session. */
@Tag("spark")
class MetricsPageTest {
  private static final Path DASHBOARD = Path.of("../conf/monitoring/grafana-stillhouse.json");
  private static final Path DOCUMENTATION = Path.of("../conf/OPERATIONS.md");

  /** Prometheus' text format, without time stamps, exemplars and empty lines. */
  private static final Pattern LINE =
      Pattern.compile(
          "# HELP [a-z_]+ \\S.*|# TYPE [a-z_]+ (counter|gauge)"
              + "|([a-z_]+)(\\{[a-z_]+=\"[^\"\\\\]*\"(,[a-z_]+=\"[^\"\\\\]*\")*\\})?"
              + " (NaN|[+-]Inf|-?[0-9]+(\\.[0-9]+)?(E-?[0-9]+)?)");

  @TempDir private static Path directory;

  private static SparkSession spark;
  private static HttpResponse<String> page;

  @BeforeAll
  static void scrapesRunningTraining() throws Exception {
    Tiny.spark().stop();
    spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", true)
            .config("spark.ui.port", 0)
            .config("spark.executor.heartbeatInterval", "500ms")
            .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    MetricsPage.attach(spark.sparkContext(), "train");
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 400, "LABEL_2", "LABEL_0");
    TinyRecipe recipe =
        TinyRecipe.labelled(corpus)
            .cache(directory.resolve("cache"))
            .tinyBertTargets()
            .student(directory.resolve("students"))
            .with("student.name=small", "train.epochs=1000", "train.max-steps=600");
    new CacheJob(spark, recipe.settings()).run();
    TrainJob job = new TrainJob(spark, recipe.settings());
    CompletableFuture<Void> training =
        CompletableFuture.runAsync(
            () -> {
              try {
                job.run();
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
    do {
      Thread.sleep(100);
      page = scrape();
    } while (!page.body().contains("stillhouse_train_step{student=\"small-baseline\"")
        && !training.isDone());
    assertThat(training).as("the training runs and is on the page: %s", page.body()).isNotDone();
    training.join();
  }

  @AfterAll
  static void stopsSession() {
    spark.stop();
  }

  @Test
  void pageIsInPrometheusTextFormat() {
    assertThat(page.headers().firstValue("Content-Type").orElseThrow())
        .startsWith("text/plain;")
        .contains("version=0.0.4");
    assertThat(page.body()).endsWith("\n");
    assertThat(page.body().lines()).allMatch(line -> LINE.matcher(line).matches());
    assertThat(series()).doesNotHaveDuplicates();
  }

  @Test
  void everyMetricIsOnPage() {
    assertThat(names(page.body()))
        .containsAll(Arrays.stream(Metric.values()).map(Metric::fullName).toList());
  }

  @Test
  void pageShowsRunningWork() {
    assertThat(page.body())
        .containsPattern("stillhouse_cache_shards_done [1-9]")
        .containsPattern("stillhouse_cache_tokens_total [1-9]")
        .contains("stillhouse_cache_rows_total 400\n")
        .containsPattern("stillhouse_tasks_running\\{job=\"train\"\\} [12]")
        .contains("stillhouse_train_steps{student=\"small-baseline\"} 600\n")
        .containsPattern(
            "stillhouse_train_term_loss\\{student=\"small\",term=\"soft-label\"\\} 0\\.");
  }

  @Test
  void dashboardReadsMetricsOfPage() throws IOException {
    Set<String> used = names(Files.readString(DASHBOARD));
    assertThat(used).isNotEmpty().isSubsetOf(names(page.body()));
  }

  @Test
  void documentationListsEveryMetric() throws IOException {
    String text = Files.readString(DOCUMENTATION);
    for (Metric metric : Metric.values()) {
      assertThat(text).contains("`" + metric.fullName() + "`");
    }
  }

  private static List<String> series() {
    return page.body().lines().map(line -> line.replaceFirst(" \\S+$", "")).toList();
  }

  private static Set<String> names(String text) {
    Matcher matcher = Pattern.compile("stillhouse_[a-z_]+").matcher(text);
    return matcher
        .results()
        .map(found -> found.group())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static HttpResponse<String> scrape() throws IOException, InterruptedException {
    URI uri = URI.create(spark.sparkContext().uiWebUrl().get() + MetricsPage.PATH);
    return HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
  }
}
