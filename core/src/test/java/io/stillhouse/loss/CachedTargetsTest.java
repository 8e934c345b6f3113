package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.MlmEncoder;
import io.stillhouse.codec.SoftLabels;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Targets that went through cells, against those that the teacher gave. */
class CachedTargetsTest {
  private final NDManager manager = NDManager.newBaseManager();
  private Encoder teacher;
  private List<Example> rows;
  private Batch batch;
  private EncoderOutput live;

  @BeforeEach
  void runTheTeacher() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    teacher = new Encoder(directory.spec(), directory.weights(manager));
    rows = new Golden("bert-tiny-mlm-v1/golden.safetensors", manager).examples();
    batch = new TargetBatch(manager, rows, TeacherParts.NONE).batch();
    live = teacher.forward(batch, Capture.everything(3), Dropout.NONE);
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 0", "FLOAT16, 5e-4", "INT8, 1e-2"})
  void storedTargetsAreAsExactAsTheirDtype(Dtype dtype, double most) {
    TargetBatch read = cached(dtype, List.of(0, 3), List.of(2), MlmTargets.NONE);

    assertThat(error(read.hiddenBLD(3), live.hidden(3), 1)).isLessThanOrEqualTo(most);
    assertThat(error(read.attentionBHLL(2), live.scores(2), 2)).isLessThanOrEqualTo(most);
  }

  @ParameterizedTest
  @CsvSource({"FLOAT32, 1e-5", "FLOAT16, 5e-4", "INT8, 1e-2"})
  void derivedTargetsAreAsExactAsTheHiddenStateBelow(Dtype dtype, double most) {
    TargetBatch read =
        cached(
            dtype,
            List.of(1, 3),
            List.of(),
            new MlmTargets(MlmTargets.Kind.DERIVED, 0, List.of(), Positions.ALL));

    assertThat(error(read.attentionBHLL(2), live.scores(2), 2)).isLessThan(most);
    assertThat(error(read.relationsBHLL(AttentionPart.VALUE, 2, 4), live.valueRelations(2), 2))
        .isLessThan(most);
    assertThat(error(read.maskedLmLogitsNV(Positions.ALL), liveLogits(Positions.ALL), 0))
        .isLessThan(most);
  }

  @Test
  void theEmbeddingOutputIsDerivedFromTheIds() {
    TargetBatch read = cached(Dtype.INT8, List.of(3), List.of(), MlmTargets.NONE);

    assertThat(error(read.hiddenBLD(0), live.hidden(0), 1)).isZero();
  }

  @ParameterizedTest
  @EnumSource(Positions.class)
  void denseSoftLabelsAreTheTeachers(Positions positions) {
    MlmTargets dense = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), positions);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), dense);

    assertThat(error(read.maskedLmLogitsNV(positions), liveLogits(positions), 0)).isLessThan(1e-6);
    NDArray studentNV = student().get(":" + liveLogits(positions).getShape().get(0));
    assertThat(divergence(read, positions, 2))
        .isCloseTo(SoftLabelLoss.kl(studentNV, liveLogits(positions), 2).getFloat(), within(1e-6f));
  }

  @Test
  void maskedTokensAreFoundAmongAll() {
    MlmTargets all = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.ALL);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), all);

    assertThat(error(read.maskedLmLogitsNV(Positions.MASKED), liveLogits(Positions.MASKED), 0))
        .isLessThan(1e-6);
  }

  @Test
  void tokensWithoutSoftLabelsAreRefused() {
    MlmTargets masked = new MlmTargets(MlmTargets.Kind.DENSE, 0, List.of(), Positions.MASKED);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), masked);

    assertThatThrownBy(() -> read.maskedLmLogitsNV(Positions.ALL))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("only masked tokens have soft labels: row 0");
  }

  @ParameterizedTest
  @CsvSource({"1.0, 8", "2.0, 8", "2.5, 3"})
  void theLikeliestAndTheirTailDivergeAsWorkedOutInLoops(double temperature, int k) {
    MlmTargets top =
        new MlmTargets(MlmTargets.Kind.TOP_K, k, List.of(2.5, 1.0, 2.0), Positions.ALL);
    TargetBatch read = cached(Dtype.FLOAT32, List.of(), List.of(), top);

    float[] theirs = liveLogits(Positions.ALL).toFloatArray();
    int classes = (int) liveLogits(Positions.ALL).getShape().get(1);
    double expected = 0;
    int tokens = theirs.length / classes;
    for (int n = 0; n < tokens; n++) {
      double[] teacherP = LossCheck.softmax(theirs, n * classes, classes, temperature);
      double[] studentP =
          LossCheck.softmax(student().toFloatArray(), n * classes, classes, temperature);
      Integer[] order = new Integer[classes];
      java.util.Arrays.setAll(order, i -> i);
      java.util.Arrays.sort(order, (a, b) -> Double.compare(teacherP[b], teacherP[a]));
      double tail = 1;
      double studentTail = 1;
      for (int i = 0; i < k; i++) {
        double p = teacherP[order[i]];
        expected += p * Math.log(p / studentP[order[i]]) / tokens;
        tail -= p;
        studentTail -= studentP[order[i]];
      }
      expected += tail * Math.log(tail / studentTail) / tokens;
    }
    assertThat((double) divergence(read, Positions.ALL, temperature))
        .isCloseTo(expected * temperature * temperature, within(1e-4));
  }

  @Test
  void manyDrawsComeCloseToEveryClass() {
    int caches = 200;
    int draws = 50;
    int classes = (int) liveLogits(Positions.ALL).getShape().get(1);
    double[] expected = LossCheck.softmax(liveLogits(Positions.ALL).toFloatArray(), 0, classes, 1);
    double[] seen = new double[classes];
    double[] divergences = new double[caches];
    for (int seed = 0; seed < caches; seed++) {
      SoftLabels labels = sampled(seed, draws).maskedLmSoftLabels(Positions.ALL, 1);
      long[] ids = labels.idsNK().get(0).toLongArray();
      float[] shares = labels.probabilitiesNK().get(0).toFloatArray();
      for (int i = 0; i < ids.length; i++) {
        seen[(int) ids[i]] += shares[i] / caches;
      }
      divergences[seed] = SoftLabelLoss.kl(student(), labels, 1).getFloat();
    }

    for (int c = 0; c < classes; c++) {
      double error = Math.sqrt(expected[c] * (1 - expected[c]) / (caches * draws));
      assertThat(seen[c]).isCloseTo(expected[c], within(5 * error));
    }
    double mean = java.util.Arrays.stream(divergences).average().orElseThrow();
    double squares = java.util.Arrays.stream(divergences).map(d -> (d - mean) * (d - mean)).sum();
    assertThat(mean)
        .isCloseTo(
            SoftLabelLoss.kl(student(), liveLogits(Positions.ALL), 1).getFloat(),
            within(4 * Math.sqrt(squares / (caches - 1) / caches)));
  }

  @Test
  void drawsDependOnSeedAndKeyAlone() {
    Map<Column, List<byte[]>> once = encode(sampledTargets(50), Dtype.INT8, 3, rows);
    Map<Column, List<byte[]>> alone = encode(sampledTargets(50), Dtype.INT8, 3, rows.subList(2, 3));
    Map<Column, List<byte[]>> other = encode(sampledTargets(50), Dtype.INT8, 4, rows);

    Column counts = sampledTargets(50).sampleCounts();
    assertThat(alone.get(counts).get(0)).isEqualTo(once.get(counts).get(2));
    assertThat(other.get(counts).get(2)).isNotEqualTo(once.get(counts).get(2));
  }

  @Test
  void gradientsOfTheLikeliestAgreeWithDifferences() {
    NDArray ids = manager.create(new long[] {4, 1, 0, 3}, new Shape(2, 2));
    NDArray lessLargest = manager.create(new float[] {0, -0.5f, 0, -1.5f}, new Shape(2, 2));
    SoftLabels labels =
        SoftLabels.top(ids, lessLargest, manager.create(new float[] {0.9f, 0.8f}), 2);

    LossCheck.requireGradient(
        manager, LossCheck.random(10, 1), student -> SoftLabelLoss.kl(student, labels, 2), 2, 5);
  }

  @Test
  void gradientsOfDrawsAgreeWithDifferences() {
    NDArray ids = manager.create(new long[] {4, 1, 3, 0}, new Shape(2, 2));
    NDArray shares = manager.create(new float[] {0.75f, 0.25f, 1, 0}, new Shape(2, 2));
    SoftLabels labels = SoftLabels.sampled(ids, shares, manager.create(new float[] {0.9f, 0.2f}));

    LossCheck.requireGradient(
        manager, LossCheck.random(10, 1), student -> SoftLabelLoss.kl(student, labels, 1), 2, 5);
  }

  private TargetBatch sampled(long seed, int draws) {
    MlmTargets mlm = sampledTargets(draws);
    return read(mlm, Dtype.INT8, new HashMap<>(encode(mlm, Dtype.INT8, seed, rows)));
  }

  private static MlmTargets sampledTargets(int draws) {
    return new MlmTargets(MlmTargets.Kind.SAMPLED, draws, List.of(1.0), Positions.ALL);
  }

  private float divergence(TargetBatch read, Positions positions, double temperature) {
    NDArray studentNV =
        positions == Positions.ALL
            ? student()
            : student().get(":" + liveLogits(positions).getShape().get(0));
    return SoftLabelLoss.kl(studentNV, read.maskedLmSoftLabels(positions, temperature), temperature)
        .getFloat();
  }

  /** Returns logits that are not the teacher's, (N, V). */
  private NDArray student() {
    NDArray logits = liveLogits(Positions.ALL);
    return logits.add(Autograd.times(logits.sin(), 0.7));
  }

  private NDArray liveLogits(Positions positions) {
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    return teacher.maskedLmLogits(
        positions == Positions.ALL
            ? targets.realTokensND(live.last())
            : targets.maskedTokensND(live.last()));
  }

  private TargetBatch cached(
      Dtype dtype, List<Integer> hidden, List<Integer> attention, MlmTargets mlm) {
    Map<Column, List<byte[]>> cells = new HashMap<>();
    hidden.forEach(
        layer ->
            cells.put(Targets.hidden(layer), TargetCells.tokens(live.hidden(layer), batch, dtype)));
    attention.forEach(
        block ->
            cells.put(
                Targets.attention(block), TargetCells.pairs(live.scores(block), batch, dtype)));
    if (mlm.stored()) {
      cells.putAll(encode(mlm, dtype, 1, rows));
    }
    return read(mlm, dtype, cells);
  }

  private Map<Column, List<byte[]>> encode(
      MlmTargets mlm, Dtype dtype, long seed, List<Example> some) {
    Batch own = new TargetBatch(manager, some, TeacherParts.NONE).batch();
    NDArray last = teacher.forward(own, Capture.NOTHING, Dropout.NONE).last();
    return new MlmEncoder(teacher, mlm, dtype, seed)
        .cells(
            last,
            own,
            some.stream()
                .map(row -> new MlmEncoder.Row(row.id(), row.inputs().mlmLabels()))
                .toList());
  }

  private TargetBatch read(MlmTargets mlm, Dtype dtype, Map<Column, List<byte[]>> cells) {
    List<Example> read = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      Map<String, byte[]> own = new HashMap<>();
      for (Map.Entry<Column, List<byte[]>> column : cells.entrySet()) {
        own.put(column.getKey().name(), column.getValue().get(row));
      }
      read.add(new Example(rows.get(row).id(), rows.get(row).inputs(), dtype, own));
    }
    return new TargetBatch(manager, read, new TeacherParts(teacher, mlm));
  }

  /** Returns the relative error over real tokens, or pairs of them, or everything. */
  private double error(NDArray read, NDArray reference, int masks) {
    NDArray mask = batch.maskBL1();
    long longest = batch.longest();
    NDArray weights =
        switch (masks) {
          case 1 -> mask;
          case 2 -> mask.reshape(-1, 1, longest, 1).mul(mask.reshape(-1, 1, 1, longest));
          default -> manager.ones(new Shape(1));
        };
    return Golden.norm(read.sub(reference).mul(weights)) / Golden.norm(reference.mul(weights));
  }
}
