package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares ten steps with those of torch.optim.AdamW on Hugging Face's encoders. */
class TenStepsGoldenTest {
  private static final double RATE = 1e-3;
  private static final TrainSpec.Optimizer ADAM_W =
      new TrainSpec.Optimizer(RATE, 0, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1.0);

  @ParameterizedTest
  @ValueSource(
      strings = {"mlm", "cls", "distilbert-mlm", "distilbert-cls", "albert-mlm", "albert-cls"})
  void lossesMatchPyTorch(String task) throws IOException {
    JsonObject expected =
        JsonParser.parseString(Golden.text("ten_losses.json"))
            .getAsJsonObject()
            .getAsJsonObject(task);
    JsonArray losses = expected.getAsJsonArray("losses");
    JsonArray norms = expected.getAsJsonArray("gradient_norms");
    try (NDManager manager = NDManager.newBaseManager()) {
      String model =
          (task.contains("-") ? task.replace("-", "-tiny-") : "bert-tiny-" + task) + "-v1";
      List<Example> rows = new Golden(model + "/golden.safetensors", manager).examples();
      HuggingFaceDirectory directory = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(model));
      Map<String, NDArray> weights = directory.weights(manager);
      weights.values().forEach(weight -> weight.setRequiresGradient(true));
      Encoder encoder = new Encoder(directory.spec(), weights);
      DistillLoss loss = new DistillLoss(hardLabels(), encoder, Map.of());
      try (AdamW adamW = new AdamW(manager, weights, ADAM_W)) {
        for (int step = 0; step < losses.size(); step++) {
          double value = backward(manager, rows, encoder, loss);
          double norm = adamW.step(step + 1, RATE);

          assertThat(value).isCloseTo(losses.get(step).getAsDouble(), within(1e-4));
          assertThat(norm / norms.get(step).getAsDouble()).isCloseTo(1, within(1e-3));
        }
      }
      Golden after = new Golden("after_ten.safetensors", manager);
      for (String name : after.names()) {
        if (name.startsWith(task + ".")) {
          NDArray weight = weights.get(name.substring(task.length() + 1));
          assertThat(Golden.relativeError(weight, after.read(name), 1)).as(name).isLessThan(1e-4);
        }
      }
    }
  }

  private static double backward(
      NDManager manager, List<Example> rows, Encoder encoder, DistillLoss loss) {
    Autograd.record(Autograd.Mode.ON);
    double total = 0;
    // Two micro-batches, whose gradients must add up to the full batch's.
    for (List<Example> part : List.of(rows.subList(0, 1), rows.subList(1, rows.size()))) {
      try (NDManager scope = manager.newSubManager()) {
        TargetBatch targets = new TargetBatch(scope, part, TeacherParts.NONE);
        DistillLoss.Value value =
            loss.of(
                encoder.forward(targets.batch(), Capture.NONE, Dropout.NONE),
                targets,
                Counts.of(rows));
        if (value.total() != null) {
          Autograd.backward(value.total());
          total += value.terms().get(Term.HARD_LABEL);
        }
      }
    }
    return total;
  }

  private static DistillSpec hardLabels() {
    return new DistillSpec(
        List.of(0, 1, 2, 3),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        1,
        DistillSpec.Hidden.NONE,
        0,
        DistillSpec.Relations.NONE);
  }
}
