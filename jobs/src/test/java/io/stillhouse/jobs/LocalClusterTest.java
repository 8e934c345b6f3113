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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real executor processes: what a local session cannot show is what must be serialized. */
@Tag("spark")
class LocalClusterTest {
  @TempDir private Path directory;

  @Test
  void executorsOfTheirOwnGiveTheLocalResult() throws IOException {
    Path corpus = Tiny.labelled(directory.resolve("rows.tsv"), 80, "LABEL_2", "LABEL_0");
    SparkSession local = Tiny.spark();
    Evaluation here = everything(local, corpus, directory.resolve("local"));
    local.stop();

    // Executors take their classes from the path below; Spark only wants a directory to start in.
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME"), "jars"));
    SparkSession cluster =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .config("spark.ui.enabled", false)
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config(
                "spark.executor.extraJavaOptions",
                "-Dai.djl.offline=true -Dai.djl.pytorch.num_interop_threads=1")
            .config("spark.executor.cores", 1)
            .getOrCreate();
    try {
      cluster.sparkContext().setLogLevel("ERROR");
      Evaluation there = everything(cluster, corpus, directory.resolve("cluster"));
      assertThat(cluster.sparkContext().isLocal()).isFalse();
      for (int model = 0; model < 3; model++) {
        assertThat(there.models().get(model).metrics())
            .isEqualTo(here.models().get(model).metrics());
      }
      assertAMistakeFoundByAnExecutorIsStillTheUsers(cluster);
    } finally {
      cluster.stop();
    }
    for (String part : List.of("cache", "students")) {
      CacheDiff.Result diff =
          CacheDiff.compare(
              directory.resolve("local").resolve(part).toString(),
              directory.resolve("cluster").resolve(part).toString());
      assertThat(diff.equal()).as(diff.words()).isTrue();
    }
  }

  private void assertAMistakeFoundByAnExecutorIsStillTheUsers(SparkSession cluster)
      throws IOException {
    Path bad = Tiny.labelled(directory.resolve("bad.tsv"), 4, "LABEL_2", "none");
    assertThatThrownBy(() -> everything(cluster, bad, directory.resolve("bad")))
        .hasRootCauseInstanceOf(StillhouseException.class)
        .hasStackTraceContaining("but is 'none'; the classes are");
    assertThat(directory.resolve("bad/cache")).doesNotExist();
  }

  private static Evaluation everything(SparkSession spark, Path corpus, Path to)
      throws IOException {
    Settings settings =
        Tiny.settings(
            List.of(
                "teacher.path=" + Tiny.CLS,
                "corpus.path=" + corpus,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40",
                "cache.path=" + to.resolve("cache"),
                "cache.shard-tokens=300",
                "targets.dtype=float32",
                "targets.hidden=[0,3]",
                "targets.attention=[3]",
                "student.layers=1",
                "loss.soft-label.weight=1",
                "loss.hidden-mse.weight=1",
                "loss.attention-mse.weight=1",
                "train.path=" + to.resolve("students"),
                "train.epochs=1",
                "train.batch-size=16",
                "train.threads=1",
                "evaluate.output=" + to.resolve("evaluation.json")));
    new CacheJob(spark, settings).run();
    assertThat(new TrainJob(spark, settings).run().students()).hasSize(2);
    return new EvaluateJob(spark, settings).run();
  }
}
