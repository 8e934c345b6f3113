package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows of which some have no label; the golden classifier of three classes is the student. */
class UnlabelledRowsTest {
  /** float32 rounding of sums over a batch. */
  private static final double ROUNDING = 1e-5;

  private static final List<Example> ROWS =
      List.of(
          row("a", 1, 5, 6, 7),
          row("b", Double.NaN, 8, 9),
          row("c", 2, 10),
          row("d", Double.NaN, 9));
  private static final List<Example> LABELLED = List.of(ROWS.get(0), ROWS.get(2));
  private static final List<Example> UNLABELLED = List.of(ROWS.get(1), ROWS.get(3));

  private NDManager manager;
  private Encoder student;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
    student = new Encoder(directory.spec(), directory.weights(manager));
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void hardLabelIsMeanOverLabelledRows(boolean weighted) {
    List<Double> weights = weighted ? List.of(1.0, 2.0, 0.5) : List.of();

    double mixed = of(ROWS, ROWS, weights).terms().get(Term.HARD_LABEL);

    double alone = of(LABELLED, LABELLED, weights).terms().get(Term.HARD_LABEL);
    assertThat(mixed).isCloseTo(alone, within(alone * ROUNDING));
  }

  @Test
  void microBatchWithoutLabelsHasSoftLabelsAlone() {
    assertThat(of(UNLABELLED, ROWS, List.of()).terms()).containsOnlyKeys(Term.SOFT_LABEL);
    assertThat(of(UNLABELLED, UNLABELLED, List.of()).terms()).containsOnlyKeys(Term.SOFT_LABEL);
  }

  @Test
  void sharesOfMicroBatchesAddUpToStep() {
    Map<Term, Double> whole = of(ROWS, ROWS, List.of()).terms();
    Map<Term, Double> first = of(ROWS.subList(0, 3), ROWS, List.of()).terms();
    Map<Term, Double> second = of(ROWS.subList(3, 4), ROWS, List.of()).terms();

    assertThat(first.get(Term.HARD_LABEL))
        .isCloseTo(whole.get(Term.HARD_LABEL), within(1 * ROUNDING));
    assertThat(first.get(Term.SOFT_LABEL) + second.get(Term.SOFT_LABEL))
        .isCloseTo(whole.get(Term.SOFT_LABEL), within(1 * ROUNDING));
  }

  private DistillLoss.Value of(List<Example> part, List<Example> whole, List<Double> weights) {
    DistillSpec spec =
        new DistillSpec(
                List.of(0, 1, 2, 3),
                new DistillSpec.SoftLabel(1, DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
                1,
                DistillSpec.Hidden.NONE,
                0,
                DistillSpec.Relations.NONE)
            .withClassWeights(weights);
    TargetBatch targets = new TargetBatch(manager, part, new TeacherParts(null, MlmTargets.NONE));
    return new DistillLoss(spec, student, Map.of())
        .of(student.forward(targets.batch(), Capture.of(spec)), targets, Counts.of(whole));
  }

  private static Example row(String id, double label, int... words) {
    int[] ids = new int[words.length + 2];
    System.arraycopy(words, 0, ids, 1, words.length);
    ids[0] = 2;
    ids[ids.length - 1] = 3;
    ByteBuffer logits = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    for (int c = 0; c < 3; c++) {
      logits.putFloat(c * words[0] % 4 - 1);
    }
    return new Example(
        id,
        new Example.Inputs(ids, new int[ids.length], null, label),
        Dtype.FLOAT32,
        Map.of(Targets.LOGITS.name(), logits.array()));
  }
}
