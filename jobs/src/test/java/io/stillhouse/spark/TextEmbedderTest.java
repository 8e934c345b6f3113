package io.stillhouse.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.inference.Pooling;
import java.io.IOException;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("spark")
class TextEmbedderTest {
  private static TextEmbedder embedder() {
    return new TextEmbedder()
        .setModelUrl(Tiny.CLS.toString())
        .setInputCol("text")
        .setOutputCol("vector");
  }

  private static List<List<Float>> vectors(Dataset<Row> table) {
    return table.orderBy("id").select("vector").collectAsList().stream()
        .map(row -> row.<Float>getList(0))
        .toList();
  }

  @Test
  void outputIsArrayOfFloat() {
    assertThat(embedder().embed(Texts.table(Texts.SOME)).schema().simpleString())
        .isEqualTo("struct<id:int,text:string,vector:array<float>>");
  }

  @Test
  void givesModelsEmbeddings() throws IOException {
    InferenceModel model = LoadedModels.open(ModelLocation.parse(Tiny.CLS.toString()));
    for (Pooling pooling : Pooling.values()) {
      List<List<Float>> found =
          vectors(
              embedder()
                  .setPooling(pooling == Pooling.CLS ? "cls" : "mean")
                  .setNormalize(false)
                  .transform(Texts.table(Texts.SOME)));
      for (int n = 0; n < found.size(); n++) {
        int[] ids = model.tokenizer().encode(Texts.SOME.subList(n, n + 1)).get(0).ids();
        float[] expected = model.embeddings(List.of(model.pairing(40).single(ids)), pooling)[0];
        assertThat(found.get(n)).hasSize(Tiny.WIDTH);
        for (int h = 0; h < expected.length; h++) {
          assertThat(found.get(n).get(h)).isCloseTo(expected[h], within(1e-5f));
        }
      }
    }
  }

  @Test
  void poolingsDiffer() {
    Dataset<Row> table = Texts.table(Texts.SOME);

    assertThat(vectors(embedder().setPooling("cls").transform(table)))
        .isNotEqualTo(vectors(embedder().setPooling("mean").transform(table)));
  }

  @Test
  void normalizesByDefault() {
    assertThat(vectors(embedder().transform(Texts.table(Texts.SOME))))
        .allSatisfy(
            vector ->
                assertThat(vector.stream().mapToDouble(v -> v * v).sum())
                    .isCloseTo(1, within(1e-5)));
  }
}
