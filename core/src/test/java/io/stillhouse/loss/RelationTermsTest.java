package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TargetCells;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Tests all terms together, and the source of relations, with a student of two blocks. */
class RelationTermsTest {
  /** float32 rounding of sums over a batch. */
  private static final double ROUNDING = 1e-5;

  private static final DistillSpec.Relations VALUES =
      new DistillSpec.Relations(0, 0, 0, 1, 4, DistillSpec.Blocks.LAST);

  private NDManager manager;
  private Encoder teacher;
  private List<Example> rows;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
    HuggingFaceDirectory directory =
        HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    teacher = new Encoder(directory.spec(), directory.weights(manager));
    rows = GoldenTargets.of(new Golden("bert-tiny-mlm-v1/golden.safetensors", manager));
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void appliesEachWeightOnce() {
    Map<Term, Double> alone = of(every(1), student(), parts(teacher), rows, rows).terms();

    DistillLoss.Value weighted = of(every(2), student(), parts(teacher), rows, rows);

    assertThat(weighted.terms()).isEqualTo(alone).containsOnlyKeys(Term.values());
    assertThat(alone.values()).allMatch(value -> value > 1e-3);
    double expected = 0;
    for (Term term : Term.values()) {
      expected += Math.pow(2, term.ordinal()) * alone.get(term);
    }
    assertThat(LossCheck.value(weighted.total())).isCloseTo(expected, within(expected * ROUNDING));
  }

  @Test
  void termsOfMicroBatchesAddUpToBatch() {
    DistillSpec spec = every(1.1);
    Map<Term, Double> whole = of(spec, student(), parts(teacher), rows, rows).terms();

    Map<Term, Double> sums = new EnumMap<>(Term.class);
    for (Example row : rows) {
      of(spec, student(), parts(teacher), List.of(row), rows)
          .terms()
          .forEach((term, share) -> sums.merge(term, share, Double::sum));
    }

    assertThat(sums).containsOnlyKeys(Term.values());
    whole.forEach(
        (term, mean) ->
            assertThat(sums.get(term)).as(term.id()).isCloseTo(mean, within(mean * ROUNDING)));
  }

  @Test
  void relationsAreZeroIfStudentEqualsTeacher() {
    DistillSpec spec =
        relations(
            List.of(0, 1, 2, 3), new DistillSpec.Relations(1, 1, 1, 1, 8, DistillSpec.Blocks.ALL));

    Map<Term, Double> terms = of(spec, teacher, parts(teacher), rows, rows).terms();

    assertThat(terms)
        .containsOnlyKeys(
            Term.ATTENTION_KL, Term.QUERY_RELATION, Term.KEY_RELATION, Term.VALUE_RELATION);
    assertThat(terms.values()).allMatch(value -> Math.abs(value) < ROUNDING);
  }

  @Test
  void readsStoredValueRelationsForHeadsOfTeacher() {
    DistillSpec spec = relations(List.of(0, 1, 3), VALUES);

    double stored =
        of(spec, student(), TeacherParts.NONE, withValueRelations(3), rows)
            .terms()
            .get(Term.VALUE_RELATION);
    double derived =
        of(spec, student(), parts(teacher), rows, rows).terms().get(Term.VALUE_RELATION);

    assertThat(stored).isGreaterThan(1e-2).isCloseTo(derived, within(derived * ROUNDING));
  }

  @Test
  void relationsOfOtherHeadCountsRequireTeacher() {
    DistillSpec spec =
        relations(
            List.of(0, 1, 3), new DistillSpec.Relations(0, 0, 0, 1, 8, DistillSpec.Blocks.LAST));
    List<Example> cells = withValueRelations(3);

    assertThatThrownBy(() -> of(spec, student(), TeacherParts.NONE, cells, rows))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("relations are not stored, and there is no teacher to compute them");
  }

  @Test
  void findsFirstTokensInPaddedAndPackedStates() {
    TargetBatch targets = new TargetBatch(manager, rows, parts(teacher));
    NDArray paddedBLD = targets.hiddenBLD(2);
    float[] padded = targets.firstTokensBD(paddedBLD).toFloatArray();
    float[] expected = paddedBLD.get(":, 0").toFloatArray();

    assertThat(padded).containsExactly(expected);
    assertThat(targets.firstTokensBD(targets.hidden1ND(2)).toFloatArray())
        .containsExactly(expected);
    assertThat(targets.firstHiddenBD(2).toFloatArray()).containsExactly(expected);
  }

  private DistillLoss.Value of(
      DistillSpec spec,
      Encoder student,
      TeacherParts parts,
      List<Example> some,
      List<Example> whole) {
    TargetBatch targets = new TargetBatch(manager, some, parts);
    EncoderOutput output = student.forward(targets.batch(), Capture.of(spec), Dropout.NONE);
    return new DistillLoss(spec, student, Map.of()).of(output, targets, Counts.of(whole));
  }

  private static TeacherParts parts(Encoder teacher) {
    return new TeacherParts(teacher, MlmTargets.NONE);
  }

  /** Returns the rows with a block's value relations and without hidden states. */
  private List<Example> withValueRelations(int block) {
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    EncoderOutput output = teacher.forward(targets.batch(), Capture.everything(3), Dropout.NONE);
    List<byte[]> cells =
        TargetCells.pairs(output.valueRelations(block), targets.batch(), Dtype.FLOAT32);
    List<Example> with = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      Example old = rows.get(row);
      with.add(
          new Example(
              old.id(),
              old.inputs(),
              Dtype.FLOAT32,
              new HashMap<>(Map.of(Targets.valueRelations(block).name(), cells.get(row)))));
    }
    return with;
  }

  /** Random weights ten times as large as BERT's, so that no term is nearly constant. */
  private Encoder student() {
    EncoderSpec spec =
        new EncoderSpec(
            teacher.spec().embeddings(),
            new EncoderSpec.Blocks(2, 32, 4, 64),
            teacher.spec().numerics(),
            teacher.spec().head());
    Map<String, NDArray> weights = new TreeMap<>();
    StudentInit.random(manager, spec, 5)
        .forEach(
            (name, weight) ->
                weights.put(name, name.contains("LayerNorm") ? weight : weight.mul(10)));
    return new Encoder(spec, weights);
  }

  /** Returns a recipe of all terms with weights in a geometric sequence. */
  private static DistillSpec every(double factor) {
    double[] weights = new double[Term.values().length];
    for (Term term : Term.values()) {
      weights[term.ordinal()] = Math.pow(factor, term.ordinal());
    }
    return new DistillSpec(
        List.of(0, 1, 3),
        new DistillSpec.SoftLabel(weights[0], DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
        weights[1],
        new DistillSpec.Hidden(
            weights[2],
            DistillSpec.CosineLayers.ALL,
            weights[3],
            weights[4],
            weights[5],
            DistillSpec.Projection.SINGLE),
        weights[6],
        new DistillSpec.Relations(
            weights[7], weights[8], weights[9], weights[10], 8, DistillSpec.Blocks.ALL));
  }

  private static DistillSpec relations(List<Integer> map, DistillSpec.Relations relations) {
    return new DistillSpec(
        map,
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
        0,
        DistillSpec.Hidden.NONE,
        0,
        relations);
  }
}
