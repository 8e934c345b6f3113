package io.stillhouse.export.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.factory.ModelFactory;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Golden models, whose rows have several lengths and two segments, and what we compute. */
abstract class ExportedGoldens {
  @TempDir Path directory;
  final NDManager manager = NDManager.newBaseManager();

  @BeforeEach
  void recordNothing() {
    Autograd.record(Autograd.Mode.OFF);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  static ModelDirectory model(String name) throws IOException {
    return ModelDirectory.open(Golden.DIRECTORY.resolve(name));
  }

  Batch batch(String model) {
    Golden golden = new Golden(model + "/golden.safetensors", manager);
    Batch batch = new TargetBatch(manager, golden.examples(), TeacherParts.NONE).batch();
    assertThat(batch.tokens()).isLessThan((long) batch.rows() * batch.longest());
    return batch;
  }

  /** Returns the golden rows without padding. */
  List<Batch> rows(String model) {
    return new Golden(model + "/golden.safetensors", manager)
        .examples().stream()
            .map(
                row ->
                    Batch.of(
                        manager, List.of(row.inputs().inputIds()), List.of(row.inputs().typeIds())))
            .toList();
  }

  NDArray expected(ModelDirectory model, Batch batch) {
    ModelSpec spec = model.spec();
    Predictor predictor = ModelFactory.predictor(spec, model.weights(manager));
    EncoderOutput output = predictor.forward(batch, Capture.NONE);
    return switch (spec.head().task()) {
      case NONE -> output.last();
      case MASKED_LM -> {
        Shape shape = output.last().getShape();
        NDArray stateND = output.last().reshape(-1, shape.get(2));
        yield predictor
            .maskedLmLogits(stateND)
            .reshape(shape.get(0), shape.get(1), spec.vocabSize());
      }
      case CLASSIFICATION, REGRESSION, MULTI_LABEL -> output.logits();
    };
  }
}
