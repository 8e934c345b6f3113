package io.stillhouse.jobs.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.text.Encoded;
import io.stillhouse.text.Pairing;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class LoadedModelsTest {
  /** Batches change the order of sums: a few units in the last place of numbers near 1. */
  private static final Offset<Float> ROUNDING = within(1e-5f);

  private static final List<String> TEXTS =
      List.of("the of and to in is was", "he", "not with it by at from his be are had", "on that");

  @Test
  void returnsLogitsInTheOrderOfTheRows() throws IOException {
    InferenceModel model = open(Tiny.CLS, 20);
    List<Pairing.Input> rows = rows(model);

    float[][] logits = model.logits(rows);

    for (int row = 0; row < rows.size(); row++) {
      assertThat(logits[row])
          .containsExactly(model.logits(rows.subList(row, row + 1))[0], ROUNDING);
    }
  }

  @Test
  void meanIsOverRealTokensOnly() throws IOException {
    InferenceModel model = open(Tiny.CLS, 1000);
    List<Pairing.Input> rows = rows(model);

    float[][] means = model.embeddings(rows, Pooling.MEAN);

    for (int row = 0; row < rows.size(); row++) {
      float[] states = states(rows.get(row));
      int tokens = rows.get(row).ids().length;
      float[] byHand = new float[Tiny.WIDTH];
      for (int n = 0; n < states.length; n++) {
        byHand[n % Tiny.WIDTH] += states[n] / tokens;
      }
      assertThat(means[row]).containsExactly(byHand, ROUNDING);
    }
  }

  @Test
  void clsIsTheStateOfTheFirstToken() throws IOException {
    InferenceModel model = open(Tiny.MLM, 1000);
    List<Pairing.Input> rows = rows(model);

    float[][] first = model.embeddings(rows, Pooling.CLS);

    assertThat(first).hasDimensions(rows.size(), Tiny.WIDTH);
    assertThat(first[1])
        .containsExactly(model.embeddings(rows.subList(1, 2), Pooling.CLS)[0], ROUNDING);
  }

  @Test
  void rejectsLogitsOfModelWithoutTaskHead() throws IOException {
    InferenceModel model = open(Tiny.MLM, 1000);
    List<Pairing.Input> rows = rows(model);

    assertThatThrownBy(() -> model.logits(rows))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has no task head");
  }

  @Test
  void readsSpecFromConfigAlone() throws IOException {
    assertThat(LoadedModels.spec(ModelLocation.parse(Tiny.CLS + "/onnx/model.onnx")))
        .isEqualTo(open(Tiny.CLS, 1000).spec());
  }

  private static InferenceModel open(Path directory, int batchTokens) throws IOException {
    return LoadedModels.open(ModelLocation.parse(directory.toString()), batchTokens);
  }

  private static List<Pairing.Input> rows(InferenceModel model) {
    Pairing pairing = model.pairing(40);
    return model.tokenizer().encode(TEXTS).stream().map(Encoded::ids).map(pairing::single).toList();
  }

  /** Returns the last hidden states of one row, (L, H). */
  private static float[] states(Pairing.Input row) throws IOException {
    try (NDManager manager = Devices.manager()) {
      Batch batch = Batch.of(manager, List.of(row.ids()), List.of(row.tokenTypes()));
      return Models.predictor(Tiny.CLS.toString())
          .forward(batch, Capture.NONE)
          .last()
          .toFloatArray();
    }
  }
}
