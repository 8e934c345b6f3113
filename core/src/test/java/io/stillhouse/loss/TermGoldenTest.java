package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.CosineLayers;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.DistillSpec.Projection;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.Teachers;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Compares sums and means over teachers and layers, and projections, with PyTorch's. */
class TermGoldenTest extends TermGoldens {
  private static final Head CLASSES = new Head(Task.CLASSIFICATION, List.of("a", "b", "c"));
  private static final List<String> WIDE =
      List.of("student_wide_0", "student_wide_1", "student_wide_2");
  private static final List<String> NARROW =
      List.of("student_hidden_0", "student_hidden_1", "student_hidden_2");

  @Test
  void weightedMeanOverSeveralTeachers() {
    DistillSpec first = taught(MAP, 2, 3, 7);
    DistillSpec second = taught(List.of(0, 1, 2), 0, 3, 0);
    DistillSpec third = taught(MAP, 0, 0, 0);
    Teachers teachers =
        new Teachers(
            0.5, List.of(new Teachers.Additional(2, second), new Teachers.Additional(1.5, third)));
    List<Example> rows = states("teacher_hidden_", 4, "teacher_logits_0");
    List<Example> others = states("second_hidden_", 3, "teacher_logits_1");
    List<Example> logits = states("", 0, "teacher_logits_2");
    List<Example> joined = new ArrayList<>();
    for (int row = 0; row < rows.size(); row++) {
      joined.add(rows.get(row).with(List.of(others.get(row), logits.get(row))));
    }
    TeacherParts parts =
        new TeacherParts(null, MlmTargets.NONE, List.of(TeacherParts.NONE, TeacherParts.NONE));
    TargetBatch targets = new TargetBatch(manager, joined, parts);
    DistillLoss loss = new DistillLoss(first, teachers, student(CLASSES), Map.of());
    List<String> read = new ArrayList<>(WIDE);
    read.add("student_logits");

    check(
        "teachers",
        read,
        tensors ->
            loss.of(
                output(tensors, WIDE, tensors.get("student_logits")), targets, Counts.of(joined)));
  }

  @ParameterizedTest
  @EnumSource(CosineLayers.class)
  void sumOfCosinesOverLayers(CosineLayers layers) {
    DistillSpec spec = spec(new DistillSpec.Hidden(3, layers, 0, 0, 0, Projection.PER_LAYER));
    List<Example> rows = states("teacher_hidden_", 4, null);
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    DistillLoss loss = loss(spec, Head.NONE);

    check(
        "cosine." + lower(layers),
        WIDE,
        tensors -> loss.of(output(tensors, WIDE, null), targets, Counts.of(rows)));
  }

  @ParameterizedTest
  @EnumSource(Projection.class)
  void statesThroughProjections(Projection projection) {
    DistillSpec spec = spec(new DistillSpec.Hidden(7, CosineLayers.ALL, 3, 5, 2, projection));
    List<Example> rows = states("teacher_hidden_", 4, null);
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    Set<String> names = new TreeSet<>(spec.studentHidden().stream().map(spec::projection).toList());
    List<String> read = new ArrayList<>(NARROW);
    read.addAll(names);

    check(
        "projection." + lower(projection),
        read,
        tensors -> {
          Map<String, NDArray> projections = new HashMap<>();
          names.forEach(name -> projections.put(name, tensors.get(name)));
          return new DistillLoss(spec, student(Head.NONE), projections)
              .of(output(tensors, NARROW, null), targets, Counts.of(rows));
        });
  }

  private static EncoderOutput output(
      Map<String, NDArray> tensors, List<String> names, @Nullable NDArray logits) {
    Map<Integer, NDArray> hidden = new HashMap<>();
    for (int layer = 0; layer < names.size(); layer++) {
      hidden.put(layer, tensors.get(names.get(layer)));
    }
    return new EncoderOutput(hidden.get(2), hidden, Map.of(), Map.of(), Map.of(), logits);
  }

  /** Returns the loss on one teacher: soft labels, and the terms with a weight. */
  private static DistillSpec taught(List<Integer> map, double hard, double mse, double embedding) {
    return spec(
        map,
        new DistillSpec.SoftLabel(5, DistillSpec.Kind.KL, TEMPERATURE, Positions.ALL),
        hard,
        new DistillSpec.Hidden(0, CosineLayers.LAST, mse, embedding, 0, Projection.PER_LAYER));
  }

  private static DistillSpec spec(DistillSpec.Hidden hidden) {
    return spec(
        MAP,
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, TEMPERATURE, Positions.ALL),
        0,
        hidden);
  }
}
