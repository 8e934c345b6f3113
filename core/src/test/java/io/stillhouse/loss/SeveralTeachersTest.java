package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.CellNumbers;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Teachers;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Tests a student of a golden teacher and of additional teachers with other targets for its rows.
 */
class SeveralTeachersTest {
  /** float32 rounding of sums over a batch. */
  private static final double ROUNDING = 1e-5;

  private static final double FIRST = 0.5;
  private static final double SECOND = 2;
  private static final double THIRD = 1.5;

  private NDManager manager;

  @BeforeEach
  void open() {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
  }

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  @Test
  void termsAreWeightedMeansOverParticipatingTeachers() throws IOException {
    HuggingFaceDirectory directory = directory("bert-tiny-mlm-v1");
    Encoder head = new Encoder(directory.spec(), directory.weights(manager));
    List<Example> rows = GoldenTargets.of(golden("bert-tiny-mlm-v1"));
    List<Example> second = scaled(rows, 0.5f);
    List<Example> third = scaled(rows, -2f);
    DistillSpec all = spec(List.of(0, 3), 5, 2, 1, 0.5, 0.25);
    DistillSpec ofSecond = spec(List.of(0, 1), 5, 0, 1, 0, 0.25);
    DistillSpec ofThird = spec(List.of(0, 2), 5, 0, 0, 0, 0);
    Encoder student = student(directory.spec());
    TeacherParts parts = new TeacherParts(head, MlmTargets.NONE);
    Map<Term, Double> alone = terms(all, Teachers.SINGLE, student, rows, parts);
    Map<Term, Double> seconds = terms(ofSecond, Teachers.SINGLE, student, second, parts);
    Map<Term, Double> thirds = terms(ofThird, Teachers.SINGLE, student, third, parts);

    Teachers teachers =
        new Teachers(
            FIRST,
            List.of(
                new Teachers.Additional(SECOND, ofSecond),
                new Teachers.Additional(THIRD, ofThird)));
    List<Example> joined = joined(rows, List.of(second, third));
    TeacherParts several = new TeacherParts(head, MlmTargets.NONE, List.of(parts, parts));
    Map<Term, Double> terms = terms(all, teachers, student, joined, several);

    assertThat(terms).containsOnlyKeys(alone.keySet());
    for (Term term : List.of(Term.HARD_LABEL, Term.EMBEDDING_MSE)) {
      assertThat(terms.get(term)).as(term.id()).isEqualTo(alone.get(term));
    }
    for (Term term : List.of(Term.HIDDEN_MSE, Term.ATTENTION_MSE)) {
      double mean = (FIRST * alone.get(term) + SECOND * seconds.get(term)) / (FIRST + SECOND);
      assertThat(terms.get(term)).as(term.id()).isCloseTo(mean, within(mean * ROUNDING));
      assertThat(seconds.get(term)).as(term.id()).isNotEqualTo(alone.get(term));
    }
    double soft =
        (FIRST * alone.get(Term.SOFT_LABEL)
                + SECOND * seconds.get(Term.SOFT_LABEL)
                + THIRD * thirds.get(Term.SOFT_LABEL))
            / (FIRST + SECOND + THIRD);
    assertThat(terms.get(Term.SOFT_LABEL)).isCloseTo(soft, within(soft * ROUNDING));
    double total = 0;
    for (Map.Entry<Term, Double> term : terms.entrySet()) {
      total += DistillLoss.weight(all, term.getKey()) * term.getValue();
    }
    assertThat(total(all, teachers, student, joined, several))
        .isCloseTo(total, within(total * ROUNDING));
  }

  @Test
  void gradientsMatchWeightedMean() throws IOException {
    HuggingFaceDirectory directory = directory("bert-tiny-mlm-v1");
    List<Example> rows = GoldenTargets.of(golden("bert-tiny-mlm-v1"));
    List<Example> second = scaled(rows, 0.5f);
    DistillSpec loss = spec(List.of(0, 3), 0, 0, 1, 0, 1);
    Teachers both = new Teachers(1, List.of(new Teachers.Additional(3, loss)));
    TeacherParts parts =
        new TeacherParts(null, MlmTargets.NONE, List.of(TeacherParts.NONE, TeacherParts.NONE));

    NDArray first = gradient(loss, Teachers.SINGLE, directory, rows, parts);
    NDArray other = gradient(loss, Teachers.SINGLE, directory, second, parts);
    NDArray mean = gradient(loss, both, directory, joined(rows, List.of(second)), parts);

    NDArray expected = first.add(Autograd.multiply(other, 3));
    assertThat(Golden.norm(first.sub(other))).isGreaterThan(1e-3);
    assertThat(Golden.relativeError(Autograd.multiply(mean, 4), expected, 0)).isLessThan(ROUNDING);
  }

  @Test
  void comparesLogitsAndFirstTokensAcrossTokenizers() throws IOException {
    HuggingFaceDirectory directory = directory("bert-tiny-cls-v1");
    List<Example> rows = GoldenTargets.of(golden("bert-tiny-cls-v1"));
    List<Example> cut = new ArrayList<>();
    float[][] logits = new float[rows.size()][];
    for (int row = 0; row < rows.size(); row++) {
      logits[row] = new float[] {row, 1, -row};
      cut.add(withoutLastToken(rows.get(row), logits[row]));
    }
    EncoderSpec shape = directory.spec();
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 2, 3),
            new DistillSpec.SoftLabel(1, DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
            0,
            new DistillSpec.Hidden(
                0, DistillSpec.CosineLayers.LAST, 0, 0, 1, DistillSpec.Projection.PER_LAYER),
            0,
            DistillSpec.Relations.NONE);
    Encoder student = student(shape, 2);
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    float[] student0 =
        student.forward(targets.batch(), Capture.of(loss), Dropout.NONE).logits().toFloatArray();
    Map<Term, Double> alone = terms(loss, Teachers.SINGLE, student, rows, TeacherParts.NONE);

    Teachers both = new Teachers(1, List.of(new Teachers.Additional(1, loss)));
    TeacherParts parts = new TeacherParts(null, MlmTargets.NONE, List.of(TeacherParts.NONE));
    Map<Term, Double> terms = terms(loss, both, student, joined(rows, List.of(cut)), parts);

    double second = 0;
    for (int row = 0; row < rows.size(); row++) {
      float[] own = Arrays.copyOfRange(student0, 3 * row, 3 * row + 3);
      second += 4 * divergence(logits[row], own) / rows.size();
    }
    double mean = (alone.get(Term.SOFT_LABEL) + second) / 2;
    assertThat(terms.get(Term.SOFT_LABEL)).isCloseTo(mean, within(mean * ROUNDING));
    assertThat(second).isNotCloseTo(alone.get(Term.SOFT_LABEL), within(1e-2));
    // Its first tokens have the first teacher's states, so this term does not change.
    double firstTokens = alone.get(Term.FIRST_TOKEN_MSE);
    assertThat(terms.get(Term.FIRST_TOKEN_MSE))
        .isCloseTo(firstTokens, within(firstTokens * ROUNDING));
  }

  private static double divergence(float[] teacher, float[] student) {
    double[] p = softmax(teacher);
    double[] q = softmax(student);
    double sum = 0;
    for (int c = 0; c < p.length; c++) {
      sum += p[c] * Math.log(p[c] / q[c]);
    }
    return sum;
  }

  /** Returns the softmax at temperature 2. */
  private static double[] softmax(float[] logits) {
    double[] p = new double[logits.length];
    double sum = 0;
    for (int c = 0; c < p.length; c++) {
      p[c] = Math.exp(logits[c] / 2);
      sum += p[c];
    }
    for (int c = 0; c < p.length; c++) {
      p[c] /= sum;
    }
    return p;
  }

  /** Returns a row as another tokenizer could encode it: one token fewer, and other logits. */
  private static Example withoutLastToken(Example row, float[] logits) {
    int length = row.length() - 1;
    Map<String, byte[]> cells = new HashMap<>();
    for (int layer = 0; layer <= 3; layer++) {
      byte[] cell = row.cell(Targets.hidden(layer));
      int bytes = cell.length / row.length() * length;
      cells.put(Targets.hidden(layer).name(), Arrays.copyOf(cell, bytes));
    }
    cells.put(Targets.LOGITS.name(), GoldenTargets.bytes(logits));
    Example.Inputs inputs =
        new Example.Inputs(
            Arrays.copyOf(row.inputs().inputIds(), length),
            Arrays.copyOf(row.inputs().typeIds(), length),
            null,
            Double.NaN);
    return new Example(row.id(), inputs, Dtype.FLOAT32, cells);
  }

  private static List<Example> joined(List<Example> rows, List<List<Example>> others) {
    List<Example> joined = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      int at = row;
      joined.add(rows.get(row).with(others.stream().map(other -> other.get(at)).toList()));
    }
    return joined;
  }

  /** Returns rows with multiplied targets. */
  private static List<Example> scaled(List<Example> rows, float factor) {
    List<Example> scaled = new ArrayList<>();
    for (Example row : rows) {
      Map<String, byte[]> cells = new HashMap<>();
      for (String name : row.cells().keySet()) {
        double[] numbers = CellNumbers.of(row, Targets.named(name));
        float[] values = new float[numbers.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) numbers[i] * factor;
        }
        cells.put(name, GoldenTargets.bytes(values));
      }
      scaled.add(new Example(row.id(), row.inputs(), Dtype.FLOAT32, cells));
    }
    return scaled;
  }

  private Map<Term, Double> terms(
      DistillSpec spec,
      Teachers teachers,
      Encoder student,
      List<Example> rows,
      TeacherParts parts) {
    return of(spec, teachers, student, rows, parts).terms();
  }

  private double total(
      DistillSpec spec,
      Teachers teachers,
      Encoder student,
      List<Example> rows,
      TeacherParts parts) {
    return LossCheck.value(of(spec, teachers, student, rows, parts).total());
  }

  private DistillLoss.Value of(
      DistillSpec spec,
      Teachers teachers,
      Encoder student,
      List<Example> rows,
      TeacherParts parts) {
    TargetBatch targets = new TargetBatch(manager, rows, parts);
    return new DistillLoss(spec, teachers, student, Map.of())
        .of(
            student.forward(targets.batch(), Capture.of(spec), Dropout.NONE),
            targets,
            Counts.of(rows));
  }

  private NDArray gradient(
      DistillSpec spec,
      Teachers teachers,
      HuggingFaceDirectory directory,
      List<Example> rows,
      TeacherParts parts) {
    Map<String, NDArray> weights = StudentInit.random(manager, spec(directory.spec(), 1), 5);
    weights.values().forEach(weight -> weight.setRequiresGradient(true));
    Autograd.record(Autograd.Mode.ON);
    Encoder student = new Encoder(spec(directory.spec(), 1), weights);
    Autograd.backward(of(spec, teachers, student, rows, parts).total());
    Autograd.record(Autograd.Mode.OFF);
    return Autograd.gradient(weights.get("bert.encoder.layer.0.attention.self.query.weight"));
  }

  private Encoder student(EncoderSpec teacher) {
    return student(teacher, 1);
  }

  private Encoder student(EncoderSpec teacher, int layers) {
    return new Encoder(
        spec(teacher, layers), StudentInit.random(manager, spec(teacher, layers), 5));
  }

  private static EncoderSpec spec(EncoderSpec teacher, int layers) {
    return new EncoderSpec(
        teacher.embeddings(),
        new EncoderSpec.Blocks(
            layers, teacher.hiddenSize(), teacher.heads(), teacher.blocks().intermediateSize()),
        teacher.numerics(),
        teacher.head());
  }

  private static DistillSpec spec(
      List<Integer> map, double soft, double hard, double mse, double embedding, double attention) {
    return new DistillSpec(
        map,
        new DistillSpec.SoftLabel(soft, DistillSpec.Kind.KL, 2, DistillSpec.Positions.MASKED),
        hard,
        new DistillSpec.Hidden(
            0, DistillSpec.CosineLayers.LAST, mse, embedding, 0, DistillSpec.Projection.PER_LAYER),
        attention,
        DistillSpec.Relations.NONE);
  }

  private static HuggingFaceDirectory directory(String name) throws IOException {
    return HuggingFaceDirectory.open(Golden.DIRECTORY.resolve(name));
  }

  private Golden golden(String name) {
    return new Golden(name + "/golden.safetensors", manager);
  }
}
