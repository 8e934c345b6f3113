package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.OperatingSystemMXBean;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.Head;
import java.io.BufferedWriter;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The CPU time of reading and tokenizing rows, with the tokenizer of the tiny classifier. The
 * system property {@code rows} sets their number.
 */
@Tag("bench")
class CorpusBench {
  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"csv", "json", "parquet"})
  void tellsSecondsOfCpu(String format) throws IOException {
    int rows = Integer.getInteger("rows", 1_000_000);
    SparkSession spark = Tiny.spark();
    Path file = write(spark, format, rows);
    Settings settings =
        Settings.parse(
            null,
            List.of(
                "corpus.path=" + file,
                "corpus.text=text",
                "corpus.label=label",
                "corpus.max-length=40",
                "corpus.format=" + format));
    CorpusSpec spec = Recipe.corpus(settings);
    RowTokenizer tokenizer =
        RowTokenizer.of(
            settings, Tiny.CLS.toString(), Head.NONE, spec, RowTokenizer.Mask.of(settings, 1, 1));
    double start = cpu();
    Corpus corpus = Corpus.read(spark, spec);
    double read = cpu();
    long tokens =
        corpus
            .rows()
            .mapPartitions(tokenizer::tokenize)
            .map(row -> (long) row.length())
            .reduce(Long::sum);
    System.out.printf(
        "%s: %,d rows, %,d tokens, %.2f s of CPU to count, %.2f s to read and tokenize%n",
        format, corpus.rowCount(), tokens, read - start, cpu() - read);
    assertThat(corpus.rowCount()).isEqualTo(rows);
    assertThat(settings.get(Options.MAX_LENGTH)).isEqualTo(40);
  }

  private static double cpu() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime()
        / 1e9;
  }

  private Path write(SparkSession spark, String format, int rows) throws IOException {
    Path csv = directory.resolve("rows.csv");
    Random random = new Random(5);
    try (BufferedWriter out = Files.newBufferedWriter(csv)) {
      out.write("text,label\n");
      for (int row = 0; row < rows; row++) {
        String text = Tiny.words(random, 4 + random.nextInt(12));
        out.write("\"" + text + "\"," + row % 3 + "\n");
      }
    }
    if (format.equals("csv")) {
      return csv;
    }
    Path other = directory.resolve("other");
    spark
        .read()
        .option("header", true)
        .csv(csv.toString())
        .coalesce(2)
        .write()
        .format(format)
        .save(other.toString());
    return other;
  }
}
