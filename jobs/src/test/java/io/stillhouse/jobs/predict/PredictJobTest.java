package io.stillhouse.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.export.onnx.OnnxExport;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Pooling;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class PredictJobTest {
  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.LongType)
          .add("text", DataTypes.StringType)
          .add("tags", DataTypes.createArrayType(DataTypes.StringType))
          .add("price", DataTypes.createDecimalType(10, 3));

  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void addsColumnsToRowsOfParquetInTheirOrder() throws IOException {
    Path table = parquet("the of and", "he was wed", null, " ", "it is in the bing");

    PredictRecord record = predict(Tiny.CLS, table, "out");

    List<Row> rows = read("parquet", "out");
    Dataset<Row> before = spark.read().parquet(table.toString());
    assertThat(spark.read().parquet(at("out")).schema().names())
        .containsExactly("id", "text", "tags", "price", "predicted_class", "probabilities");
    assertThat(rows.stream().map(row -> firstColumns(row, 4)))
        .containsExactlyElementsOf(before.collectAsList());
    assertThat(rows)
        .extracting(row -> row.isNullAt(4))
        .containsExactly(false, false, true, true, false);
    assertThat(record.rows()).isEqualTo(5);
    assertThat(record.emptyRows()).isEqualTo(2);
    TextClassifier.Prediction alone =
        TextClassifier.open(Tiny.CLS.toString()).predict(List.of("he was wed")).get(0);
    Map<String, Double> probabilities = rows.get(1).getJavaMap(5);
    assertThat(rows.get(1).getString(4)).isEqualTo(alone.labels().get(0).name());
    assertThat(probabilities).hasSize(3);
    assertThat(probabilities.get(rows.get(1).getString(4)))
        .isCloseTo(alone.labels().get(0).probability(), within(1e-5));
    assertThat(Files.readString(directory.resolve("out/_predict.json")))
        .contains(
            "\"rows\": 5", "\"emptyRows\": 2", "\"form\": \"weights\"", record.model().digest());
  }

  @Test
  void keepsEveryFieldOfCsv() throws IOException {
    String csv =
        """
        id,text, note ,empty
        007,"he said ""it"", and was wed", padded ,
        1.50,"in the
        bing",,
        -,,x,y
        """;
    Path table = Files.writeString(directory.resolve("table.csv"), csv);

    predict(Tiny.CLS, table, "out", "corpus.text=text", "predict.top-k=1");

    List<String> lines = lines("out");
    assertThat(lines.get(0)).isEqualTo("id,text, note ,empty,predicted_class,probabilities");
    assertThat(lines.get(1))
        .startsWith("007,\"he said \"\"it\"\", and was wed\", padded ,,LABEL_")
        .containsPattern("\"\\{\"\"LABEL_\\d\"\":0\\.\\d+}\"$");
    assertThat(lines.get(2)).isEqualTo("1.50,\"in the");
    assertThat(lines.get(3)).startsWith("bing\",,,LABEL_");
    assertThat(lines.get(4)).isEqualTo("-,,x,y,,");
  }

  @Test
  void keepsOrderOfSmallTableThatIsSplit() throws IOException {
    StringBuilder tsv = new StringBuilder("text\tnumber\n");
    for (int row = 0; row < 3000; row++) {
      tsv.append(row % 2 == 0 ? "he was wed" : "the of").append('\t').append(row).append('\n');
    }
    Path table = Files.writeString(directory.resolve("table.tsv"), tsv);

    predict(Tiny.CLS, table, "out", "corpus.text=text");

    List<String> lines = lines("out").stream().filter(line -> !line.startsWith("text")).toList();
    assertThat(files("out")).hasSizeGreaterThan(1);
    assertThat(lines).hasSize(3000);
    for (int row = 0; row < lines.size(); row++) {
      assertThat(lines.get(row).split("\t")[1]).isEqualTo(Integer.toString(row));
    }
  }

  @Test
  void embedsTexts() throws IOException {
    Path table = parquet("the of and", "he was wed");

    predict(Tiny.MLM, table, "out", "predict.output=embeddings", "predict.prefix=my_");
    predict(
        Tiny.MLM,
        table,
        "unit",
        "predict.output=embeddings",
        "predict.normalize=true",
        "predict.pooling=cls");

    InferenceModel model = LoadedModels.open(ModelLocation.parse(Tiny.MLM.toString()));
    Pairing pairing = model.pairing(40);
    List<Pairing.Input> inputs =
        model.tokenizer().encode(List.of("the of and", "he was wed")).stream()
            .map(text -> pairing.single(text.ids()))
            .toList();
    List<Row> rows = read("parquet", "out");
    List<Row> unit = read("parquet", "unit");
    for (int row = 0; row < 2; row++) {
      List<Float> vector = rows.get(row).getList(rows.get(row).fieldIndex("my_embedding"));
      float[] expected = model.embeddings(inputs, Pooling.MEAN)[row];
      for (int n = 0; n < Tiny.WIDTH; n++) {
        assertThat(vector.get(n)).isCloseTo(expected[n], within(1e-5f));
      }
      List<Float> normalized = unit.get(row).getList(unit.get(row).fieldIndex("embedding"));
      assertThat(normalized.stream().mapToDouble(value -> value * value).sum())
          .isCloseTo(1, within(1e-5));
    }
  }

  @Test
  void onnxFileGivesSameClasses() throws IOException {
    Path model = directory.resolve("model");
    Tiny.copy(Tiny.CLS, model);
    Path graph = model.resolve("onnx/model.onnx");
    Files.createDirectories(graph.getParent());
    OnnxExport.write(ModelDirectory.open(model), graph);
    Path table = parquet("the of and", "he was wed", "it is in the bing", "not");

    PredictRecord record = predict(graph, table, "onnx");
    predict(Tiny.CLS, table, "weights");

    assertThat(record.model().form()).isEqualTo("onnx");
    assertThat(read("parquet", "onnx").stream().map(row -> row.getString(4)))
        .containsExactlyElementsOf(
            read("parquet", "weights").stream().map(row -> row.getString(4)).toList());
  }

  @Test
  void modelThatWasTrainedAgainGivesNewResults() throws IOException {
    Path model = directory.resolve("model");
    Tiny.copy(Tiny.CLS, model);
    Path table = parquet("the of and");
    PredictRecord before = predict(model, table, "before");

    Path other = Tiny.otherWeights(directory.resolve("other"));
    Files.write(
        model.resolve("model.safetensors"), Files.readAllBytes(other.resolve("model.safetensors")));
    PredictRecord after = predict(model, table, "after");

    assertThat(after.model().digest()).isNotEqualTo(before.model().digest());
    Map<String, Double> one = read("parquet", "before").get(0).getJavaMap(5);
    Map<String, Double> two = read("parquet", "after").get(0).getJavaMap(5);
    assertThat(two).isNotEqualTo(one);
  }

  @Test
  void writesJsonLinesOfPlainText() throws IOException {
    Path table = Files.writeString(directory.resolve("lines.txt"), "he was wed\n\nthe of and\n");

    predict(Tiny.REG, table, "out", "predict.format=jsonl");

    assertThat(lines("out").get(0)).startsWith("{\"value\":\"he was wed\",\"score\":");
    assertThat(lines("out").get(1)).isEqualTo("{\"value\":\"\",\"score\":null}");
  }

  @Test
  void rejectsWhatDoesNotFitAndWritesNothing() throws IOException {
    Path table = parquet("the of and");
    Files.createDirectory(directory.resolve("taken"));
    Path mlm = Tiny.MLM;

    reject(() -> predict(Tiny.CLS, table, "taken"), "already exists; name a directory");
    reject(() -> predict(directory.resolve("none"), table, "out"), "MODEL does not exist");
    reject(() -> predict(Tiny.CLS, directory.resolve("no.csv"), "out"), "no.csv");
    reject(() -> predict(Tiny.CLS, table, "out", "corpus.text=body"), "no column 'body'");
    reject(() -> predict(Tiny.CLS, table, "out", "corpus.text=tags"), "'tags'");
    reject(() -> predict(mlm, table, "out"), "set predict.output=embeddings");
    reject(
        () -> predict(Tiny.CLS, table, "out", "predict.format=csv"), "column 'tags' of the table");
    reject(() -> predict(Tiny.CLS, table, "out", "predict.format=tsv"), "set predict.format=csv");
    predict(Tiny.CLS, table, "once");
    reject(
        () -> predict(Tiny.CLS, directory.resolve("once"), "out"),
        "already has a column 'predicted_class'; set predict.prefix");
    reject(
        () ->
            predict(
                Tiny.CLS,
                Files.writeString(directory.resolve("short.csv"), "text,more\nhe,1\nwas\n"),
                "out"),
        "1 of 2 rows are invalid");

    assertThat(Files.list(directory).map(file -> file.getFileName().toString()))
        .containsExactlyInAnyOrder("table", "taken", "once", "short.csv");
  }

  private interface Work {
    void run() throws IOException;
  }

  private static void reject(Work work, String message) {
    assertThatThrownBy(work::run)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(message);
  }

  private PredictRecord predict(Path model, Path table, String out, String... settings)
      throws IOException {
    List<String> all = new ArrayList<>(List.of("corpus.max-length=40"));
    all.addAll(List.of(settings));
    return new PredictJob(
            spark,
            Settings.parse(null, all),
            new PredictJob.Arguments(model.toString(), table.toString(), at(out)))
        .run();
  }

  private Path parquet(String... texts) {
    Path table = directory.resolve("table");
    List<Row> rows = new ArrayList<>();
    for (int n = 0; n < texts.length; n++) {
      rows.add(
          RowFactory.create(
              (long) n, texts[n], new String[] {"a", "b" + n}, new BigDecimal("1.500")));
    }
    spark
        .createDataFrame(rows, SCHEMA)
        .coalesce(1)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(table.toString());
    return table;
  }

  private static Row firstColumns(Row row, int count) {
    Object[] values = new Object[count];
    for (int n = 0; n < count; n++) {
      values[n] = row.get(n);
    }
    return RowFactory.create(values);
  }

  private List<Row> read(String format, String name) {
    return spark.read().format(format).load(at(name)).collectAsList();
  }

  private List<Path> files(String name) throws IOException {
    try (var all = Files.list(directory.resolve(name))) {
      return all.filter(file -> file.getFileName().toString().startsWith("part-"))
          .sorted()
          .toList();
    }
  }

  /** Returns the lines of all files, in the order of the files. */
  private List<String> lines(String name) throws IOException {
    List<String> lines = new ArrayList<>();
    for (Path file : files(name)) {
      lines.addAll(Arrays.asList(Files.readString(file).split("\n")));
    }
    return lines;
  }

  private String at(String name) {
    return directory.resolve(name).toString();
  }
}
