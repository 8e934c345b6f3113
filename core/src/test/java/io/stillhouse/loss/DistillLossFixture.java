package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Base of tests with the tiny golden masked LM as teacher and a random student of one block. */
abstract class DistillLossFixture {
  static final List<Integer> MAP = List.of(0, 3);
  static final double TEMPERATURE = 2;

  /** float32 rounding of sums over a batch. */
  static final double ROUNDING = 1e-5;

  NDManager manager;
  Golden golden;
  Encoder teacher;
  List<Example> rows;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
    golden = new Golden("bert-tiny-mlm-v1/golden.safetensors", manager);
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    teacher = new Encoder(directory.spec(), directory.weights(manager));
    rows = GoldenTargets.of(golden);
  }

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  DistillLoss.Value of(
      DistillSpec spec,
      Encoder student,
      Map<String, NDArray> projections,
      List<Example> part,
      List<Example> whole) {
    TargetBatch targets =
        new TargetBatch(manager, part, new TeacherParts(teacher, MlmTargets.NONE));
    return new DistillLoss(spec, student, projections)
        .of(forward(student, spec, targets), targets, Counts.of(whole));
  }

  static EncoderOutput forward(Encoder student, DistillSpec spec, TargetBatch targets) {
    return student.forward(targets.batch(), Capture.of(spec), Dropout.NONE);
  }

  Encoder student(int width) {
    return new Encoder(studentSpec(width), weights(width));
  }

  /** Random weights ten times as large as BERT's, so that no term is nearly constant. */
  Map<String, NDArray> weights(int width) {
    Map<String, NDArray> weights = new TreeMap<>();
    StudentInit.random(manager, studentSpec(width), 5)
        .forEach(
            (name, weight) ->
                weights.put(name, name.contains("LayerNorm") ? weight : weight.mul(10)));
    return weights;
  }

  EncoderSpec studentSpec(int width) {
    return new EncoderSpec(
        teacher.spec().embeddings(),
        new EncoderSpec.Blocks(1, width, 4, 2 * width),
        teacher.spec().numerics(),
        teacher.spec().head());
  }

  static DistillSpec spec(
      DistillSpec.Positions positions,
      double soft,
      double hard,
      double cosine,
      double mse,
      double embedding,
      double attention) {
    return new DistillSpec(
        MAP,
        new DistillSpec.SoftLabel(soft, DistillSpec.Kind.KL, TEMPERATURE, positions),
        hard,
        new DistillSpec.Hidden(
            cosine,
            DistillSpec.CosineLayers.LAST,
            mse,
            embedding,
            0,
            DistillSpec.Projection.PER_LAYER),
        attention,
        DistillSpec.Relations.NONE);
  }
}
