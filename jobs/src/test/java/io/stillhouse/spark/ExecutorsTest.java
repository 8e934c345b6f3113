package io.stillhouse.spark;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.LocalCluster;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.spark.Models;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Applies stages on executor processes. */
@Tag("spark")
@Tag("slow")
class ExecutorsTest {
  private static SparkSession cluster;

  @BeforeAll
  static void startExecutors() throws IOException {
    cluster = LocalCluster.start();
  }

  @AfterAll
  static void stopExecutors() {
    cluster.stop();
  }

  @Test
  void eachExecutorLoadsModelOnce() {
    String path = Tiny.CLS.toString();
    List<String> texts = new ArrayList<>();
    for (int n = 0; n < 20; n++) {
      texts.addAll(Texts.SOME);
    }
    TextClassifier classifier =
        new TextClassifier().setModelUrl(path).setInputCol("text").setOutputCol("classes");
    Dataset<Row> classified = classifier.transform(Texts.table(texts).repartition(8));

    // The model that the task of each partition has used, and the process of the task.
    MapPartitionsFunction<Row, String> models =
        rows -> {
          rows.forEachRemaining(row -> assertThat(row.<Object>getAs("classes")).isNotNull());
          Thread.sleep(200); // so that both executors get tasks
          int model = System.identityHashCode(Models.predictor(path));
          return List.of(ProcessHandle.current().pid() + " " + model).iterator();
        };
    List<String> found = classified.mapPartitions(models, Encoders.STRING()).collectAsList();

    assertThat(found).hasSize(8);
    assertThat(found.stream().distinct()).hasSize(2);
    assertThat(found.stream().map(each -> each.substring(0, each.indexOf(' '))).distinct())
        .hasSize(2);
  }
}
