package io.stillhouse.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.train.TrainJob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs jobs on executor processes, to which everything must be serialized. */
@Tag("spark")
@Tag("slow")
class LocalClusterTest {
  @TempDir private static Path directory;

  private static SparkSession cluster;
  private static Evaluation local;

  @BeforeAll
  static void runLocallyThenStartExecutors() throws IOException {
    SparkSession spark = Tiny.spark();
    local = run(spark, labelled("LABEL_0"), directory.resolve("local"));
    cluster = LocalCluster.start();
  }

  @AfterAll
  static void stopExecutors() {
    cluster.stop();
  }

  @Test
  void executorsGiveSameResultAsLocalRun() throws IOException {
    Evaluation remote = run(cluster, labelled("LABEL_0"), directory.resolve("cluster"));

    assertThat(cluster.sparkContext().isLocal()).isFalse();
    for (int model = 0; model < 3; model++) {
      assertThat(remote.models().get(model).metrics())
          .isEqualTo(local.models().get(model).metrics());
    }
    for (String part : List.of("cache", "students")) {
      CacheDiff.Result diff =
          CacheDiff.compare(
              directory.resolve("local").resolve(part).toString(),
              directory.resolve("cluster").resolve(part).toString());
      assertThat(diff.equal()).as(diff.words()).isTrue();
    }
  }

  @Test
  void reportsInvalidLabelFoundByExecutorAsUserError() throws IOException {
    assertThatThrownBy(() -> run(cluster, labelled("none"), directory.resolve("bad")))
        .hasRootCauseInstanceOf(StillhouseException.class)
        .hasStackTraceContaining("but is 'none'; the classes are");
    assertThat(directory.resolve("bad/cache")).doesNotExist();
  }

  private static Path labelled(String ifNot) throws IOException {
    return Tiny.labelled(directory.resolve(ifNot + "/rows.tsv"), 80, "LABEL_2", ifNot);
  }

  private static Evaluation run(SparkSession spark, Path corpus, Path to) throws IOException {
    Settings settings =
        TinyRecipe.labelled(corpus)
            .cache(to.resolve("cache"))
            .shardTokens(300)
            .tinyBertTargets()
            .student(to.resolve("students"))
            .with(
                "targets.dtype=float32",
                "student.init=teacher",
                "student.hidden-size=0",
                "student.dropout=0.1",
                "loss.attention-mse.weight=1",
                "train.batch-size=16",
                "evaluate.output=" + to.resolve("evaluation.json"))
            .settings();
    new CacheJob(spark, settings).run();
    assertThat(new TrainJob(spark, settings).run().students()).hasSize(2);
    return new EvaluateJob(spark, settings).run();
  }
}
