package io.stillhouse.model.bilstm;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.BiLstmGoldens;
import io.stillhouse.Golden;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.Trainable;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.Precision;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares with PyTorch's nn.LSTM over packed sequences and with autograd's gradients. */
class BiLstmTest extends BiLstmGoldens {

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void logitsMatchNnLstm(String texts) throws IOException {
    BiLstm model = new BiLstm(spec(texts, 0), trained(texts));
    NDArray expected = golden(texts).read("logits");

    NDArray plain = model.forward(batch(texts, List.of(0, 1, 2, 3)), Capture.NONE).logits();
    assertThat(Golden.relativeError(plain, expected, 1)).isLessThan(1e-5);
    try (InferenceBiLstm inference = new InferenceBiLstm(model, manager)) {
      NDArray fused = inference.forward(batch(texts, List.of(0, 1, 2, 3)), Capture.NONE).logits();
      assertThat(Golden.relativeError(fused, expected, 1)).isLessThan(1e-5);
    }
    try (Trainable training = ModelFactory.trainable(model, Map.of(), Precision.FLOAT32, manager);
        Trainable.Pass pass = pass(training, batch(texts, List.of(0, 1, 2, 3)))) {
      assertThat(Golden.relativeError(pass.output().logits(), expected, 1)).isLessThan(1e-5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void ignoresPadding(String texts) throws IOException {
    BiLstm model = new BiLstm(spec(texts, 0), weights(texts));
    NDArray together = model.forward(batch(texts, List.of(0, 1, 2, 3)), Capture.NONE).logits();

    for (int row = 0; row < 4; row++) {
      NDArray alone = model.forward(batch(texts, List.of(row)), Capture.NONE).logits();
      assertThat(Golden.relativeError(together.get(format("%d:%d", row, row + 1)), alone, 1))
          .isLessThan(1e-6);
    }
    // Ids at padding are never read.
    Batch clean = batch(texts, List.of(0, 1, 2, 3));
    NDArray noise = clean.maskBL1().reshape(clean.idsBL().getShape()).neg().add(1f);
    NDArray seven = manager.full(new Shape(), 7f, DataType.FLOAT32);
    NDArray ids = clean.idsBL().add(noise.mul(seven).toType(DataType.INT64, false));
    Batch noisy = new Batch(ids, clean.typesBL(), clean.maskBL1(), clean.lengths());
    assertThat(model.forward(noisy, Capture.NONE).logits().toFloatArray())
        .containsExactly(together.toFloatArray());
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void gradientsMatchAutograd(String texts) throws IOException {
    for (List<Integer> rows : List.of(List.of(0, 1, 2, 3), List.of(2), List.of(3, 1))) {
      Map<String, NDArray> expected = trained(texts);
      Map<String, NDArray> actual = trained(texts);
      Batch batch = batch(texts, rows);
      Autograd.record(Autograd.Mode.ON);
      BiLstm plain = new BiLstm(spec(texts, 0.3), expected);
      Autograd.backward(plain.forward(batch, Dropout.of(5)).logits().square().sum());
      Autograd.record(Autograd.Mode.OFF);

      BiLstm model = new BiLstm(spec(texts, 0.3), actual);
      try (Trainable training =
              ModelFactory.trainable(model, Map.of(), Precision.FLOAT32, manager);
          Trainable.Pass pass = training.forward(batch, Capture.NONE, Dropout.of(5))) {
        Autograd.backward(pass.output().logits().square().sum());
        pass.backward();
      }
      expected.forEach(
          (name, weight) ->
              assertThat(
                      Golden.relativeError(
                          Autograd.gradient(actual.get(name)), Autograd.gradient(weight), 1e-3))
                  .as("%s of rows %s", name, rows)
                  .isLessThan(1e-5));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"single", "pair"})
  void gradientsMatchFiniteDifferences(String texts) throws IOException {
    Map<String, NDArray> weights = trained(texts);
    BiLstm model = new BiLstm(spec(texts, 0), weights);
    Batch batch = batch(texts, List.of(0, 1, 2, 3));
    try (Trainable training = ModelFactory.trainable(model, Map.of(), Precision.FLOAT32, manager);
        Trainable.Pass pass = pass(training, batch)) {
      Autograd.backward(pass.output().logits().square().sum());
      pass.backward();
    }
    float step = 1e-2f;
    for (String name :
        List.of("embeddings.weight", "lstm.weight_hh_l0", "lstm.bias_ih_l0_reverse")) {
      NDArray weight = weights.get(name);
      NDArray grad = Autograd.gradient(weight);
      NDArray along = grad.div(grad.norm());
      double up = shifted(model, batch, weight, along, step);
      double down = shifted(model, batch, weight, along, -step);
      assertThat((up - down) / (2 * step) / grad.norm().getFloat()).as(name).isBetween(0.99, 1.01);
    }
  }

  /** Returns the loss with a weight moved along a direction. */
  private double shifted(BiLstm model, Batch batch, NDArray weight, NDArray along, float by) {
    weight.setRequiresGradient(false);
    NDArray before = weight.duplicate();
    NDArray scale = manager.full(new Shape(), by, DataType.FLOAT32);
    before.add(along.mul(scale)).copyTo(weight);
    double loss = model.forward(batch, Capture.NONE).logits().square().sum().getFloat();
    before.copyTo(weight);
    return loss;
  }

  @Test
  void gradientsOfSeveralPassesAddUp() throws IOException {
    Map<String, NDArray> weights = trained("pair");
    try (Trainable training =
        ModelFactory.trainable(
            new BiLstm(spec("pair", 0), weights), Map.of(), Precision.FLOAT32, manager)) {
      double[] norms = new double[2];
      for (int i = 0; i < 2; i++) {
        try (Trainable.Pass pass = pass(training, batch("pair", List.of(0, 1)))) {
          Autograd.backward(pass.output().logits().square().sum());
          pass.backward();
        }
        norms[i] = Golden.norm(Autograd.gradient(weights.get("lstm.weight_ih_l0")));
      }
      assertThat(norms[1] / norms[0]).isBetween(1.99999, 2.00001);
    }
  }

  @Test
  void rejectsRowWithoutSecondText() throws IOException {
    BiLstm model = new BiLstm(spec("pair", 0), weights("pair"));
    Batch single = batch("single", List.of(3));

    assertThatThrownBy(() -> model.forward(single, Capture.NONE))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "a row of 5 tokens has one text, but this BiLSTM reads two; set corpus.pair to the"
                + " column of the second text");
  }

  private static Trainable.Pass pass(Trainable training, Batch batch) {
    return training.forward(batch, Capture.NONE, Dropout.NONE);
  }

  private Batch batch(String texts, List<Integer> rows) {
    List<Example> all = golden(texts).examples();
    List<Example.Inputs> chosen = rows.stream().map(row -> all.get(row).inputs()).toList();
    return Batch.of(
        manager,
        chosen.stream().map(Example.Inputs::inputIds).toList(),
        chosen.stream().map(Example.Inputs::typeIds).toList());
  }
}
