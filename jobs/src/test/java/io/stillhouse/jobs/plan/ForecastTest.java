package io.stillhouse.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;

/**
 * Predicts the cost for a corpus of 90 rows with text and 2,000 tokens: 4 shards of 500 tokens, and
 * 20 steps of 9 rows in two epochs.
 */
class ForecastTest {
  private static final Lengths PROBED = new Lengths(10, 10, 100, 1000);
  private static final Lengths CORPUS = new Lengths(100, 90, 2000, 50_000);
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(100, 40, 2, 0),
          new EncoderSpec.Blocks(3, 24, 4, 48),
          new EncoderSpec.Numerics(1e-12, 0, 0, 0),
          new Head(Task.CLASSIFICATION, List.of("no", "yes", "maybe")));
  private static final DistillSpec LOSS =
      new DistillSpec(
          List.of(0, 3),
          new DistillSpec.SoftLabel(1, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
          0,
          new DistillSpec.Hidden(
              0, DistillSpec.CosineLayers.LAST, 1, 0, 0, DistillSpec.Projection.PER_LAYER),
          0,
          DistillSpec.Relations.NONE);

  private static final StoredBytes BYTES =
      new StoredBytes(
          Map.of(
              "inputs/input_ids", 500L,
              "logits/logits", 120L,
              "hidden/hidden_03", 9600L,
              "attention/attention_03", 16_000L),
          64,
          7000);
  private static final StoredBytes INPUTS =
      new StoredBytes(Map.of("inputs/input_ids", 500L), 64, 0);
  private static final double CACHE_BYTES = 10_000 + 1200 + 192_000 + 800_000 + 4 * 32;

  private static final Forecast.Overhead OVERHEAD = new Forecast.Overhead(10, 20, Map.of());

  @Test
  void predictsDisk() {
    PlanResult.Disk disk = result(1e9).disk();

    assertThat(disk.bytes()).isEqualTo(CACHE_BYTES);
    assertThat(disk.bytesPerToken()).isEqualTo(CACHE_BYTES / 2000);
    assertThat(disk.teacherBytes()).isEqualTo(7000);
    assertThat(disk.freeBytes()).isEqualTo(1e12);
    assertThat(disk.shards()).isEqualTo(4);
  }

  @Test
  void countsFilesOfInputsAndEachFamily() {
    assertThat(result(1e9).disk().files()).isEqualTo(4 * 4);
  }

  @Test
  void cacheHoursIncludeStartup() {
    // 500 tokens at 100 a second; 10 + 20 + 5 seconds besides.
    assertThat(result(1e9).hours().cache()).isCloseTo((5 + 35) / 3600.0, within(1e-9));
  }

  @Test
  void trainingHoursIncludeStepsReadingAndStartup() {
    // Three students: 20 steps of 0.01 s, 4,000 tokens at 1 ms and 101.6 bytes at 1e6 a second.
    double steps = 0.2 + 4;
    double reading = 4000 * 101.6 / 1e6;
    assertThat(result(1e9).hours().cachedTraining())
        .isCloseTo(3 * (steps + reading + 10 + 3) / 3600, within(1e-9));
  }

  @Test
  void countsReadsOfAllStudents() {
    PlanResult.BreakEven breakEven = result(1e9).breakEven();

    assertThat(breakEven.readsOfRecipe()).isEqualTo(2 * 3);
    assertThat(breakEven.bytesPerTokenOfStudent()).isCloseTo(101.6, within(1e-9));
  }

  @Test
  void reportsSpeedAndStepsOfStudent() {
    assertThat(result(1e9).probe().students())
        .singleElement()
        .satisfies(
            student -> {
              assertThat(student.name()).isEqualTo("student");
              assertThat(student.steps()).isEqualTo(20);
              assertThat(student.tokensPerSecond()).isCloseTo(200 / 0.21, within(1e-9));
            });
  }

  @Test
  void maxStepsReduceReads() {
    assertThat(result(1e9, "train.max-steps=5").breakEven().readsOfRecipe()).isEqualTo(0.5 * 3);
  }

  @Test
  void listsUnreadColumns() {
    assertThat(result(1e9).targets().unread()).containsExactly("attention_03");
  }

  @Test
  void reportsRateOfDisk() {
    assertThat(result(1e9).probe().reading().diskBytesPerSecond()).isEqualTo(1e9);
  }

  @Test
  void omitsRateOfDiskThatCouldNotBeMeasured() {
    assertThat(result(Double.POSITIVE_INFINITY).probe().reading().diskBytesPerSecond()).isNull();
  }

  @Test
  void omitsBreakEvenIfReadingIsSlowerThanTeacher() {
    PlanResult result =
        forecast().result(LOSS, OVERHEAD, new Forecast.Disk(1e12, 10, 1e9), "counted");

    assertThat(result.breakEven().reads()).isNull();
    assertThat(result.verdict()).startsWith("do not cache: ");
  }

  private static PlanResult result(double diskRate, String... more) {
    return forecast(more).result(LOSS, OVERHEAD, new Forecast.Disk(1e12, 1e6, diskRate), "counted");
  }

  private static Forecast forecast(String... more) {
    Settings settings =
        TinyRecipe.empty()
            .shardTokens(500)
            .with("train.epochs=2", "train.batch-size=9", "plan.students=3")
            .settings(more);
    return new Forecast(
        settings,
        TEACHER,
        new TargetChoice(
            Dtype.FLOAT32,
            TargetChoice.Logits.STORED,
            MlmTargets.NONE,
            List.of(3),
            List.of(3),
            List.of()),
        new TargetSizes(BYTES, PROBED, INPUTS, PROBED, CORPUS),
        new TeacherProbe.Teacher(
            new TeacherProbe.ProbeCache(new Path("cache"), PROBED, 2, BYTES),
            new TeacherProbe.Speed(100, 4),
            5),
        new StudentProbe.Student(
            List.of(new StudentProbe.Speed("student", 0.01, 0.001)),
            false,
            Set.of(Targets.LOGITS, Targets.hidden(3)),
            3));
  }
}
