package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import io.stillhouse.jobs.heads.HeadImportanceReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Labels that {@code corpus.classes} maps to the classes of a teacher that says LABEL_n. */
@Tag("spark")
class ClassesTest {
  private static final String CLASSES = "corpus.classes=[-1, 0.0, very good]";

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();
  private Path ids;
  private Path names;

  @BeforeEach
  void writeRows() throws IOException {
    ids =
        Files.writeString(
            directory.resolve("ids.tsv"),
            "text\tlabel\nthe of\t0\nin is was\t1\nhe for\t2\nand with\t1\n");
    names =
        Files.writeString(
            directory.resolve("names.tsv"),
            "text\tlabel\nthe of\t-1.0\nin is was\t0\nhe for\t very good\nand with\t0.00\n");
  }

  @Test
  void cacheMapsThem() throws IOException {
    new CacheJob(spark, settings(names, CLASSES)).run();
    List<Double> labels =
        spark
            .read()
            .parquet(directory.resolve("cache/inputs").toString())
            .orderBy("id")
            .select("label")
            .collectAsList()
            .stream()
            .map((Row row) -> row.getDouble(0))
            .toList();
    assertThat(labels).containsExactly(0.0, 1.0, 2.0, 1.0);
  }

  @Test
  void evaluateMapsThem() throws IOException {
    Evaluation byName = new EvaluateJob(spark, settings(names, CLASSES)).run();
    Evaluation byId = new EvaluateJob(spark, settings(ids)).run();
    assertThat(byName.models().get(0).metrics()).isEqualTo(byId.models().get(0).metrics());
  }

  @Test
  void headImportanceMapsThem() throws IOException {
    // The rows are drawn by key, so both files have the same name.
    Path other = Files.createDirectory(directory.resolve("other")).resolve("ids.tsv");
    HeadImportanceReport byName =
        new HeadImportanceJob(spark, settings(Files.copy(names, other), CLASSES)).run();
    HeadImportanceReport byId = new HeadImportanceJob(spark, settings(ids)).run();
    assertThat(byName.table()).isEqualTo(byId.table());
  }

  private Settings settings(Path corpus, String... more) {
    return Tiny.settings(
        List.of(
            "teacher.path=" + Tiny.CLS,
            "corpus.path=" + corpus,
            "corpus.text=text",
            "corpus.label=label",
            "corpus.max-length=40",
            "cache.path=" + directory.resolve("cache"),
            "evaluate.output=" + directory.resolve("evaluation.json"),
            "head-importance.output=" + directory.resolve("heads.json")),
        more);
  }
}
