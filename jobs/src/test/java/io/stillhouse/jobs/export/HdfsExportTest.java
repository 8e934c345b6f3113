package io.stillhouse.jobs.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.MiniHdfs;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.predict.PredictJob;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exports to HDFS, and predictions there by an exported model. */
@Tag("spark")
class HdfsExportTest {
  @TempDir private static Path shared;

  private static MiniHdfs hdfs;
  private static SparkSession spark;

  @BeforeAll
  static void startsCluster() throws IOException {
    hdfs = MiniHdfs.start(shared.resolve("hdfs"));
    spark = hdfs.startSession();
  }

  @AfterAll
  static void stopsCluster() throws IOException {
    spark.stop();
    hdfs.close();
  }

  @Test
  void exportsAndPredicts() throws IOException {
    Path rows = Tiny.labelled(shared.resolve("rows.tsv"), 30, "1", "0");
    String export = hdfs.uri() + "/user/exports/export";
    List<String> settings =
        List.of(
            "export.from=" + Tiny.CLS,
            "export.to=" + export,
            "export.evaluate=" + rows,
            "corpus.max-length=40",
            "corpus.text=text",
            "corpus.label=label");

    ExportRecord record = new ExportJob(Tiny.settings(settings)).run(spark);
    Settings predict = Settings.parse(null, List.of("corpus.text=text", "corpus.max-length=40"));
    String model = export + "/onnx/model_quantized.onnx";
    long predicted =
        new PredictJob(
                spark,
                predict,
                new PredictJob.Arguments(
                    model, rows.toString(), hdfs.uri() + "/user/exports/predicted"))
            .run()
            .rows();

    assertThat(record.quality().models()).hasSize(4);
    assertThat(predicted).isEqualTo(30);
    Storage storage = Storage.ofThisProcess();
    org.apache.hadoop.fs.Path root = storage.qualify(export).getParent();
    assertThat(Arrays.stream(storage.fileSystem(root).listStatus(root)).map(FileStatus::getPath))
        .extracting(org.apache.hadoop.fs.Path::getName)
        .containsExactlyInAnyOrder("export", "predicted");
  }
}
