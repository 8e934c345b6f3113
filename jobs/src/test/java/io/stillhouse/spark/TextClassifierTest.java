package io.stillhouse.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.modality.Classifications;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class TextClassifierTest {
  @TempDir private Path directory;

  private static TextClassifier classifier(Path model) {
    return new TextClassifier()
        .setModelUrl(model.toString())
        .setInputCol("text")
        .setOutputCol("classes");
  }

  private static List<Row> classes(Dataset<Row> table) {
    return table.orderBy("id").select("classes").collectAsList().stream()
        .map(row -> row.<Row>getAs(0))
        .toList();
  }

  @Test
  void outputHasSchemaOfDjl() {
    assertThat(classifier(Tiny.CLS).transform(Texts.table(Texts.SOME)).schema().simpleString())
        .isEqualTo(
            "struct<id:int,text:string,classes:struct<class_names:array<string>,"
                + "probabilities:array<double>,top_k:array<string>>>");
  }

  @Test
  void givesClassesOfDjlClassificationsMostProbableFirst() throws IOException {
    List<Row> found = classes(classifier(Tiny.CLS).setTopK(2).classify(Texts.table(Texts.SOME)));

    InferenceModel model = LoadedModels.open(ModelLocation.parse(Tiny.CLS.toString()));
    List<String> names = model.spec().head().labels();
    for (int n = 0; n < found.size(); n++) {
      int[] ids = model.tokenizer().encode(Texts.SOME.subList(n, n + 1)).get(0).ids();
      float[] logits = model.logits(List.of(model.pairing(40).single(ids)))[0];
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit);
      }
      List<Double> probabilities = new ArrayList<>();
      for (float logit : logits) {
        probabilities.add(Math.exp(logit) / sum);
      }
      List<Classifications.Classification> best = new Classifications(names, probabilities).topK(3);
      assertThat(found.get(n).<String>getList(0))
          .isEqualTo(best.stream().map(Classifications.Classification::getClassName).toList());
      List<Double> given = found.get(n).getList(1);
      for (int rank = 0; rank < best.size(); rank++) {
        assertThat(given.get(rank)).isCloseTo(best.get(rank).getProbability(), within(1e-6));
      }
      assertThat(found.get(n).<String>getList(2))
          .hasSize(2)
          .allSatisfy(text -> assertThat(text).startsWith("{\"className\": \"LABEL_"));
    }
  }

  @Test
  void writesClassLikeDjl() {
    for (double probability : new double[] {1, 0.5, 0.123456, 0.00001, 0.0000034}) {
      assertThat(ClassOutput.item("positive", probability))
          .isEqualTo(new Classifications.Classification("positive", probability).toString());
    }
  }

  @Test
  void escapesNameOfClass() {
    assertThat(ClassOutput.item("a \"b\"", 0.5))
        .isEqualTo("{\"className\": \"a \\\"b\\\"\", \"probability\": 0.50000}");
  }

  @Test
  void givesNullForNullAndEmptyTexts() {
    List<String> texts = Arrays.asList("the film", null, "", " \t", "an old one");

    assertThat(classes(classifier(Tiny.CLS).setBatchSize(2).transform(Texts.table(texts))))
        .satisfiesExactly(
            first -> assertThat(first).isNotNull(),
            second -> assertThat(second).isNull(),
            third -> assertThat(third).isNull(),
            fourth -> assertThat(fourth).isNull(),
            fifth -> assertThat(fifth).isNotNull());
  }

  @Test
  void resultsDependOnNeitherBatchesNorPartitions() {
    Dataset<Row> table = Texts.table(Texts.SOME);
    List<Row> expected = classes(classifier(Tiny.CLS).transform(table));

    assertClose(classes(classifier(Tiny.CLS).setBatchSize(1).transform(table)), expected);
    assertClose(classes(classifier(Tiny.CLS).transform(table.repartition(3))), expected);
  }

  /** Compares up to the rounding of float32, which depends on the padding of a batch. */
  private static void assertClose(List<Row> found, List<Row> expected) {
    assertThat(found).hasSameSizeAs(expected);
    for (int n = 0; n < expected.size(); n++) {
      assertThat(found.get(n).<String>getList(0)).isEqualTo(expected.get(n).<String>getList(0));
      for (int rank = 0; rank < 3; rank++) {
        assertThat(found.get(n).<Double>getList(1).get(rank))
            .isCloseTo(expected.get(n).<Double>getList(1).get(rank), within(1e-6));
      }
    }
  }

  @Test
  void keepsColumnsOfEqualName() {
    Dataset<Row> table = Texts.table(Texts.SOME).selectExpr("text", "id", "id + 10 as id");

    List<Row> rows = classifier(Tiny.CLS).transform(table).collectAsList();

    assertThat(rows.get(2).getInt(1)).isEqualTo(2);
    assertThat(rows.get(2).getInt(2)).isEqualTo(12);
  }

  @Test
  void keepsOrderOfRowsWithinPartition() {
    List<Row> rows =
        classifier(Tiny.CLS).setBatchSize(3).transform(Texts.table(Texts.SOME)).collectAsList();

    assertThat(rows.stream().map(row -> row.getInt(0)).toList()).containsExactly(0, 1, 2, 3);
  }

  @Test
  void givesRowsThatTypedFunctionsRead() {
    MapFunction<Row, String> likeliest =
        row -> row.<Row>getAs("classes").<String>getList(0).get(0) + row.<Integer>getAs("id");

    List<String> found =
        classifier(Tiny.CLS)
            .transform(Texts.table(Texts.SOME))
            .map(likeliest, Encoders.STRING())
            .collectAsList();

    assertThat(found).containsExactly("LABEL_00", "LABEL_01", "LABEL_02", "LABEL_03");
  }

  @Test
  void truncatesTextsToMaxLength() {
    List<String> texts = List.of("the film was", "the film was not an old one");

    List<Row> found = classes(classifier(Tiny.CLS).setMaxLength(4).transform(Texts.table(texts)));

    assertThat(found.get(0)).isEqualTo(found.get(1));
  }

  @Test
  void readsRetrainedModel() throws IOException {
    Path model = Tiny.copy(Tiny.CLS, directory.resolve("model"));
    Dataset<Row> classified = classifier(model).transform(Texts.table(Texts.SOME));
    List<Row> before = classes(classified);

    Tiny.otherWeights(model);

    assertThat(classes(classified)).isNotEqualTo(before);
  }

  @Test
  void copiesWithOtherParameters() {
    TextClassifier classifier = classifier(Tiny.CLS);

    TextClassifier copy = classifier.copy(new ParamMap().put(classifier.topK().w(1)));

    assertThat(copy.uid()).isEqualTo(classifier.uid());
    assertThat(copy.getTopK()).isOne();
    assertThat(copy.getModelUrl()).isEqualTo(Tiny.CLS.toString());
    assertThat(classifier.getTopK()).isEqualTo(5);
  }

  @Test
  void classifiesStream() throws Exception {
    Path input = directory.resolve("input");
    Texts.table(Texts.SOME).select("text").write().text(input.toString());
    Dataset<Row> lines =
        Tiny.spark().readStream().text(input.toString()).withColumnRenamed("value", "text");

    StreamingQuery query =
        classifier(Tiny.CLS)
            .transform(lines)
            .writeStream()
            .format("memory")
            .queryName("classified")
            .trigger(Trigger.AvailableNow())
            .start();
    query.awaitTermination();

    Dataset<Row> expected = classifier(Tiny.CLS).transform(Texts.table(Texts.SOME));
    assertThat(Tiny.spark().table("classified").orderBy("text").select("classes").collectAsList())
        .isEqualTo(expected.orderBy("text").select("classes").collectAsList());
  }

  @Test
  void predictsLabelsOfMultiLabelModelIndependently() throws IOException {
    Path model =
        Tiny.shallow(
            directory.resolve("multi"), 1, new Head(Task.MULTI_LABEL, List.of("a", "b", "c")));

    Dataset<Row> sums =
        classifier(model)
            .transform(Texts.table(Texts.SOME))
            .select(functions.expr("aggregate(classes.probabilities, 0D, (s, p) -> s + p)"));

    assertThat(sums.collectAsList())
        .noneSatisfy(row -> assertThat(row.getDouble(0)).isCloseTo(1, within(1e-3)));
  }
}
