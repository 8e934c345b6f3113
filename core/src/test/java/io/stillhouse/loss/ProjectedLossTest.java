package io.stillhouse.loss;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import io.stillhouse.Golden;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.torch.Autograd;
import io.stillhouse.train.StudentInit;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Tests projections of a narrower student to the width of its teacher. */
class ProjectedLossTest extends DistillLossFixture {
  @Test
  void projectsNarrowerStudentToWidthOfTeacher() {
    Encoder student = student(16);
    DistillSpec spec = spec(DistillSpec.Positions.ALL, 0, 0, 0, 1, 1, 0);
    Map<String, NDArray> projections = StudentInit.projections(manager, spec, 16, 32, 1);
    TargetBatch targets = new TargetBatch(manager, rows, TeacherParts.NONE);
    EncoderOutput output = forward(student, spec, targets);

    Map<Term, Double> terms =
        new DistillLoss(spec, student, projections).of(output, targets, Counts.of(rows)).terms();

    assertThat(terms.get(Term.EMBEDDING_MSE))
        .isCloseTo(projectedError(output, targets, projections, 0, 0), within(ROUNDING));
    assertThat(terms.get(Term.HIDDEN_MSE))
        .isCloseTo(projectedError(output, targets, projections, 1, 3), within(ROUNDING));
  }

  @Test
  void projectionHasGradient() {
    Encoder student = student(16);
    DistillSpec spec = spec(DistillSpec.Positions.ALL, 0, 0, 1, 0, 0, 0);
    Map<String, NDArray> projections = StudentInit.projections(manager, spec, 16, 32, 1);
    projections.values().forEach(projection -> projection.setRequiresGradient(true));
    Autograd.record(Autograd.Mode.ON);

    Autograd.backward(of(spec, student, projections, rows, rows).total());

    assertThat(projections).containsOnlyKeys(spec.projection(1));
    assertThat(Golden.norm(Autograd.gradient(projections.get(spec.projection(1)))))
        .isGreaterThan(1e-4);
  }

  @Test
  void rejectsDifferentWidthWithoutProjection() {
    assertThatThrownBy(
            () ->
                of(
                    spec(DistillSpec.Positions.ALL, 0, 0, 0, 1, 0, 0),
                    student(16),
                    Map.of(),
                    rows,
                    rows))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("student (4, 12, 16) and teacher (4, 12, 32) differ in shape");
  }

  /** Multiplies by the projection and averages over real tokens, in plain loops. */
  private static double projectedError(
      EncoderOutput output,
      TargetBatch targets,
      Map<String, NDArray> projections,
      int studentLayer,
      int teacherLayer) {
    float[] state = output.hidden(studentLayer).toFloatArray();
    float[] weight = projections.get(format("projection.%02d.weight", studentLayer)).toFloatArray();
    float[] teacher = targets.hiddenBLD(teacherLayer).toFloatArray();
    int longest = targets.batch().longest();
    double total = 0;
    for (int row = 0; row < targets.batch().rows(); row++) {
      for (int t = 0; t < targets.batch().lengths()[row]; t++) {
        int token = row * longest + t;
        for (int wide = 0; wide < 32; wide++) {
          double projected = 0;
          for (int narrow = 0; narrow < 16; narrow++) {
            projected += state[token * 16 + narrow] * weight[wide * 16 + narrow];
          }
          total += Math.pow(projected - teacher[token * 32 + wide], 2);
        }
      }
    }
    return total / 32 / targets.batch().tokens();
  }
}
