package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
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
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests weights, micro-batches and soft labels of a masked LM. */
class DistillLossTest extends DistillLossFixture {
  @Test
  void appliesEachWeightOnce() {
    Encoder student = student(32);
    Map<Term, Double> alone =
        of(spec(DistillSpec.Positions.ALL, 1, 1, 1, 1, 1, 1), student, Map.of(), rows, rows)
            .terms();

    DistillLoss.Value weighted =
        of(
            spec(DistillSpec.Positions.ALL, 5, 2, 1, 0.5, 0.25, 0.125),
            student,
            Map.of(),
            rows,
            rows);

    assertThat(weighted.terms()).isEqualTo(alone).hasSize(6);
    assertThat(alone.values()).allMatch(value -> value > 1e-3);
    double expected =
        5 * alone.get(Term.SOFT_LABEL)
            + 2 * alone.get(Term.HARD_LABEL)
            + 1 * alone.get(Term.HIDDEN_COSINE)
            + 0.5 * alone.get(Term.HIDDEN_MSE)
            + 0.25 * alone.get(Term.EMBEDDING_MSE)
            + 0.125 * alone.get(Term.ATTENTION_MSE);
    assertThat(LossCheck.value(weighted.total())).isCloseTo(expected, within(expected * ROUNDING));
  }

  @Test
  void doesNotComputeTermsWithoutWeight() {
    DistillLoss.Value value =
        of(spec(DistillSpec.Positions.ALL, 0, 0, 0, 0, 0, 1), student(32), Map.of(), rows, rows);

    assertThat(value.terms()).containsOnlyKeys(Term.ATTENTION_MSE);
  }

  @ParameterizedTest
  @EnumSource(DistillSpec.Positions.class)
  void termsOfMicroBatchesAddUpToBatch(DistillSpec.Positions positions) {
    Encoder student = student(32);
    DistillSpec spec = spec(positions, 5, 2, 1, 0.5, 0.25, 0.125);
    List<Example> batch = new ArrayList<>(rows);
    batch.set(2, withoutMasks(rows.get(2)));
    Map<Term, Double> whole = of(spec, student, Map.of(), batch, batch).terms();

    Map<Term, Double> sums = new EnumMap<>(Term.class);
    for (Example row : batch) {
      of(spec, student, Map.of(), List.of(row), batch)
          .terms()
          .forEach((term, share) -> sums.merge(term, share, Double::sum));
    }

    assertThat(sums).containsOnlyKeys(whole.keySet());
    whole.forEach(
        (term, mean) ->
            assertThat(sums.get(term)).as(term.id()).isCloseTo(mean, within(mean * ROUNDING)));
  }

  @Test
  void gradientsOfMicroBatchesAddUpToBatch() {
    DistillSpec spec = spec(DistillSpec.Positions.MASKED, 5, 2, 1, 0.5, 0.25, 0.125);
    String name = "bert.encoder.layer.0.attention.self.query.weight";
    NDArray whole = gradient(spec, name, List.of(rows));

    NDArray summed = gradient(spec, name, List.of(rows.subList(2, 4), rows.subList(0, 2)));

    assertThat(Golden.norm(whole)).isGreaterThan(1e-4);
    assertThat(Golden.relativeError(summed, whole, 0)).isLessThan(1e-4);
  }

  @Test
  void maskedLmSoftLabelsCoverEveryRealToken() {
    double[] expected = new double[2];
    softReference(student(32), expected);

    DistillLoss.Value value =
        of(spec(DistillSpec.Positions.ALL, 1, 0, 0, 0, 0, 0), student(32), Map.of(), rows, rows);

    assertThat(value.terms().get(Term.SOFT_LABEL))
        .isCloseTo(expected[0], within(expected[0] * ROUNDING));
  }

  @Test
  void maskedPositionsCoverOnlyMaskedTokens() {
    double[] expected = new double[2];
    softReference(student(32), expected);

    DistillLoss.Value value =
        of(spec(DistillSpec.Positions.MASKED, 1, 0, 0, 0, 0, 0), student(32), Map.of(), rows, rows);

    assertThat(value.terms().get(Term.SOFT_LABEL))
        .isCloseTo(expected[1], within(expected[1] * ROUNDING));
    assertThat(Math.abs(expected[0] - expected[1])).isGreaterThan(100 * ROUNDING);
  }

  @Test
  void microBatchWithoutMaskedTokensHasNoLoss() {
    DistillLoss.Value value =
        of(
            spec(DistillSpec.Positions.MASKED, 1, 1, 0, 0, 0, 0),
            student(32),
            Map.of(),
            List.of(withoutMasks(rows.get(0))),
            rows);

    assertThat(value.total()).isNull();
    assertThat(value.terms()).isEmpty();
  }

  @Test
  void maskedLmSoftLabelsRequireHeadOfTeacher() {
    DistillSpec spec = spec(DistillSpec.Positions.ALL, 1, 0, 0, 0, 0, 0);
    Encoder student = student(32);
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    EncoderOutput output = forward(student, spec, targets);

    assertThatThrownBy(
            () -> new DistillLoss(spec, student, Map.of()).of(output, targets, Counts.of(rows)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "masked-LM soft labels are not stored, and there is no teacher to compute them");
  }

  @ParameterizedTest
  @EnumSource(DistillSpec.Kind.class)
  void onlyHardLabelsRemainIfStudentEqualsTeacher(DistillSpec.Kind kind) throws IOException {
    Golden classes = new Golden("bert-tiny-cls-v1/golden.safetensors", manager);
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
    Encoder student = new Encoder(directory.spec(), directory.weights(manager));
    List<Example> examples = GoldenTargets.of(classes);
    DistillSpec spec =
        new DistillSpec(
            List.of(0, 1, 2, 3),
            new DistillSpec.SoftLabel(1, kind, TEMPERATURE, DistillSpec.Positions.ALL),
            1,
            new DistillSpec.Hidden(
                1, DistillSpec.CosineLayers.ALL, 1, 1, 0, DistillSpec.Projection.PER_LAYER),
            1,
            DistillSpec.Relations.NONE);
    TargetBatch targets = new TargetBatch(manager, examples, TeacherParts.NONE);

    Map<Term, Double> terms =
        new DistillLoss(spec, student, Map.of())
            .of(forward(student, spec, targets), targets, Counts.of(examples))
            .terms();

    assertThat(terms.get(Term.HARD_LABEL))
        .isCloseTo(classes.read("loss").getFloat(), within(ROUNDING));
    terms.remove(Term.HARD_LABEL);
    assertThat(terms).hasSize(5);
    assertThat(terms.values()).allMatch(value -> Math.abs(value) < ROUNDING);
  }

  /** Fills in the divergence over real tokens, then over masked ones, in plain loops. */
  private void softReference(Encoder student, double[] realThenMasked) {
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    int width = 32;
    int longest = targets.batch().longest();
    EncoderOutput output = student.forward(targets.batch(), Capture.NONE, Dropout.NONE);
    float[] ours = student.maskedLmLogits(output.last().reshape(-1, width)).toFloatArray();
    float[] theirs = golden.read("logits").toFloatArray();
    int classes = theirs.length / (rows.size() * longest);
    int[] counts = new int[2];
    for (int row = 0; row < rows.size(); row++) {
      int[] labels = rows.get(row).inputs().mlmLabels();
      for (int t = 0; t < rows.get(row).length(); t++) {
        int from = (row * longest + t) * classes;
        double[] q = LossCheck.softmax(ours, from, classes, TEMPERATURE);
        double[] p = LossCheck.softmax(theirs, from, classes, TEMPERATURE);
        double divergence = 0;
        for (int c = 0; c < classes; c++) {
          divergence += p[c] * Math.log(p[c] / q[c]) * TEMPERATURE * TEMPERATURE;
        }
        realThenMasked[0] += divergence;
        counts[0]++;
        if (labels[t] != TargetSource.IGNORED) {
          realThenMasked[1] += divergence;
          counts[1]++;
        }
      }
    }
    realThenMasked[0] /= counts[0];
    realThenMasked[1] /= counts[1];
  }

  private NDArray gradient(DistillSpec spec, String name, List<List<Example>> parts) {
    Map<String, NDArray> weights = weights(32);
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    Encoder student = new Encoder(studentSpec(32), weights);
    Autograd.record(Autograd.Mode.ON);
    for (List<Example> part : parts) {
      Autograd.backward(of(spec, student, Map.of(), part, rows).total());
    }
    Autograd.record(Autograd.Mode.OFF);
    return Autograd.gradient(weights.get(name));
  }

  private static Example withoutMasks(Example example) {
    int[] ignored = new int[example.length()];
    Arrays.fill(ignored, TargetSource.IGNORED);
    Example.Inputs inputs = example.inputs();
    return new Example(
        example.id(),
        new Example.Inputs(inputs.inputIds(), inputs.typeIds(), ignored, inputs.label()),
        example.dtype(),
        example.cells());
  }
}
