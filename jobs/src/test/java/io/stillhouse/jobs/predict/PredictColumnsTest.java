package io.stillhouse.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Columns of a table that predict copies, whatever their types. */
@Tag("spark")
class PredictColumnsTest {
  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void keepsValuesOfEveryType() throws IOException {
    Path table = directory.resolve("table");
    SparkSession writer = spark.newSession();
    writer.conf().set("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED");
    writer.conf().set("spark.sql.parquet.int96RebaseModeInWrite", "CORRECTED");
    writer
        .sql(
            "select 'he was wed' as text, date'1582-10-03' as day,"
                + " timestamp'0001-01-02 03:04:05.678901' as time,"
                + " timestamp_ntz'2024-03-31 02:30:00' as local,"
                + " X'00ff' as bytes, cast(1.5 as float) as real, true as yes,"
                + " cast(7 as byte) as small, map('k', array(1, null)) as map,"
                + " named_struct('a b', 1, 'date', date'2024-01-02') as struct,"
                + " cast(null as string) as missing, double('NaN') as none")
        .write()
        .parquet(table.toString());

    predict(table, "out");

    Dataset<Row> before = spark.read().parquet(table.toString());
    Dataset<Row> after = spark.read().parquet(at("out")).drop("predicted_class", "probabilities");
    assertThat(after.schema()).isEqualTo(before.schema());
    assertThat(after.toJSON().collectAsList()).isEqualTo(before.toJSON().collectAsList());
    assertThat(after.selectExpr("hex(bytes)").first().getString(0)).isEqualTo("00FF");
  }

  @Test
  void keepsColumnsOfPaths() throws IOException {
    Path table = directory.resolve("table");
    spark
        .sql("select 'he was wed' as text, '007' as agent union all select 'the of', '1'")
        .write()
        .partitionBy("agent")
        .parquet(table.toString());

    predict(table, "out");

    assertThat(spark.read().parquet(at("out")).select("text", "agent").collectAsList())
        .extracting(row -> row.getString(0) + " " + row.getString(1))
        .containsExactlyInAnyOrder("he was wed 007", "the of 1");
  }

  @Test
  void findsOnlyTextOfJson() throws IOException {
    Path table =
        Files.writeString(
            directory.resolve("table.jsonl"), "{\"title\": \"he was\", \"age\": 3}\n");

    predict(table, "out", "corpus.text=");

    assertThat(spark.read().json(at("out")).columns())
        .containsExactly("age", "predicted_class", "probabilities", "title");
  }

  @Test
  void rejectsColumnThatDiffersByCaseOnly() throws IOException {
    Path table = Files.writeString(directory.resolve("table.csv"), "text,Probabilities\nhe,1\n");

    assertThatThrownBy(() -> predict(table, "out", "corpus.text=text"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("already has a column 'probabilities'; set predict.prefix");
  }

  private void predict(Path table, String out, String... settings) throws IOException {
    List<String> all = new ArrayList<>(List.of("corpus.max-length=40", "corpus.text=text"));
    all.addAll(List.of(settings));
    new PredictJob(
            spark,
            Settings.parse(null, all),
            new PredictJob.Arguments(Tiny.CLS.toString(), table.toString(), at(out)))
        .run();
  }

  private String at(String name) {
    return directory.resolve(name).toString();
  }
}
