package io.stillhouse.jobs.train.student;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.cache.read.JoinedReader;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.MlmTargets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StudentFingerprintTest {
  /**
   * The text and the hash of {@link #plain}, {@link #everything} and {@link #biLstm}. A change of
   * this file makes all checkpoints and finished students unusable, so it needs a new version.
   */
  private static final Path GOLDEN =
      Path.of("src/test/java/io/stillhouse/jobs/train/student/student-fingerprint-v1.txt");

  private static final Head CLASSES = new Head(Task.CLASSIFICATION, List.of("no", "yes"));

  private static final EncoderSpec ENCODER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(120, 40, 2, 0),
          new EncoderSpec.Blocks(1, 16, 4, 64),
          new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
          CLASSES);

  private static final DistillSpec LOSS =
      new DistillSpec(
          List.of(0, 3),
          new DistillSpec.SoftLabel(1, DistillSpec.Kind.KL, 2, DistillSpec.Positions.MASKED),
          new DistillSpec.HardLabel(0.5, List.of()),
          DistillSpec.Hidden.NONE,
          0,
          DistillSpec.Relations.NONE);

  private static final TrainSpec TRAIN =
      new TrainSpec(
          3,
          new TrainSpec.Batching(8, 2048, 1, TrainSpec.Order.SHUFFLED),
          new TrainSpec.Optimizer(5e-5, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
          TrainSpec.Rounds.NONE,
          new TrainSpec.Run(0, 42, 2, 100, Precision.FLOAT32));

  private static final StudentRun.Start RANDOM = new StudentRun.Start(null, List.of());

  @Test
  void equalsGoldenFile() throws IOException {
    assertThat(StudentFingerprint.VERSION).isEqualTo(1);
    StringBuilder text = new StringBuilder();
    for (StudentRun run : List.of(plain(), everything(), biLstm())) {
      text.append(StudentFingerprint.json(run)).append('\n');
      text.append(run.fingerprint()).append('\n');
    }

    assertThat(text.toString()).isEqualTo(Files.readString(GOLDEN));
  }

  @Test
  void doesNotDependOnThreads() {
    assertThat(with(TRAIN.withThreads(7)).fingerprint()).isEqualTo(plain().fingerprint());
  }

  @Test
  void doesNotDependOnCheckpoints() {
    TrainSpec.Run often = new TrainSpec.Run(0, 42, 2, 1, Precision.FLOAT32);

    assertThat(with(withRun(often)).fingerprint()).isEqualTo(plain().fingerprint());
  }

  @Test
  void doesNotDependOnUnusedRounds() {
    TrainSpec.Rounds unused =
        new TrainSpec.Rounds(
            1,
            7,
            new TrainSpec.Outer(1, 0, 1),
            new TrainSpec.Inner(TrainSpec.Moments.KEPT, 0, TrainSpec.Delta.FLOAT16),
            false);
    TrainSpec train =
        new TrainSpec(TRAIN.epochs(), TRAIN.batching(), TRAIN.optimizer(), unused, TRAIN.run());

    assertThat(with(train).fingerprint()).isEqualTo(plain().fingerprint());
  }

  @Test
  void doesNotDependOnValidationIfLastWeightsAreKept() {
    StudentRun.Paths places = places("a validation cache", JoinedTeachers.NONE);

    assertThat(run(ENCODER, LOSS, TRAIN, RANDOM, places).fingerprint())
        .isEqualTo(plain().fingerprint());
  }

  @Test
  void dependsOnSeed() {
    TrainSpec.Run other = new TrainSpec.Run(0, 43, 2, 100, Precision.FLOAT32);

    assertThat(with(withRun(other)).fingerprint()).isNotEqualTo(plain().fingerprint());
  }

  @Test
  void dependsOnPrecision() {
    TrainSpec.Run other = new TrainSpec.Run(0, 42, 2, 100, Precision.BFLOAT16);

    assertThat(with(withRun(other)).fingerprint()).isNotEqualTo(plain().fingerprint());
  }

  @Test
  void dependsOnStudentThatItStartsFrom() {
    StudentRun.Start start = new StudentRun.Start("students/a", List.of(1));

    assertThat(startingFrom(start.withFingerprint("one")).fingerprint())
        .isNotEqualTo(startingFrom(start.withFingerprint("two")).fingerprint());
  }

  @Test
  void dependsOnRowsLeftOut() {
    JoinedTeachers some = new JoinedTeachers(1, List.of(), List.of(bits(2), bits()));

    assertThat(run(ENCODER, LOSS, TRAIN, RANDOM, places(null, some)).fingerprint())
        .isNotEqualTo(plain().fingerprint());
  }

  private static StudentRun plain() {
    return with(TRAIN);
  }

  /** A run that uses every setting of an encoder. */
  private static StudentRun everything() {
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 3),
            new DistillSpec.SoftLabel(1, DistillSpec.Kind.MSE, 1.5, DistillSpec.Positions.ALL),
            new DistillSpec.HardLabel(0.5, List.of(0.75, 1.25)),
            new DistillSpec.Hidden(
                1, DistillSpec.CosineLayers.ALL, 2, 3, 4, DistillSpec.Projection.SHARED),
            0.5,
            new DistillSpec.Relations(1, 2, 3, 4, 8, DistillSpec.Blocks.ALL));
    TrainSpec train =
        new TrainSpec(
            3,
            new TrainSpec.Batching(8, 2048, 4, TrainSpec.Order.PLAN),
            TRAIN.optimizer(),
            new TrainSpec.Rounds(
                2,
                10,
                new TrainSpec.Outer(0.7, 0.5, 3),
                new TrainSpec.Inner(TrainSpec.Moments.KEPT, 5, TrainSpec.Delta.FLOAT16),
                true),
            new TrainSpec.Run(1000, -1, 2, 100, Precision.BFLOAT16),
            new TrainSpec.Selection(TrainSpec.Keep.BEST, "accuracy", 20, 3));
    JoinedTeachers joined =
        new JoinedTeachers(
            2,
            List.of(
                new JoinedTeachers.AdditionalTeacher(
                    "other",
                    new CacheSource("other/cache", "", Map.of("teacher", "9876")),
                    JoinedReader.Tokens.SAME,
                    0.25,
                    LOSS,
                    List.of(bits(0), bits(0, 1)))),
            List.of(bits(1, 5), bits()));
    StudentRun.Start start =
        new StudentRun.Start(
            "students/before/\"quoted\"",
            List.of(2),
            new PrunedHeads(List.of(List.of(1, 3))),
            "fingerprint of another student");
    return run(ENCODER, loss, train, start, places("validation", joined));
  }

  private static StudentRun biLstm() {
    BiLstmSpec model =
        new BiLstmSpec(
            new BiLstmSpec.Words(120, 50),
            new BiLstmSpec.Units(150, 200),
            0.2,
            BiLstmSpec.Texts.PAIR,
            CLASSES);
    return run(model, LOSS, TRAIN, RANDOM, places(null, JoinedTeachers.NONE));
  }

  private static StudentRun with(TrainSpec train) {
    return run(ENCODER, LOSS, train, RANDOM, places(null, JoinedTeachers.NONE));
  }

  private static StudentRun startingFrom(StudentRun.Start start) {
    return run(ENCODER, LOSS, TRAIN, start, places(null, JoinedTeachers.NONE));
  }

  private static TrainSpec withRun(TrainSpec.Run run) {
    return new TrainSpec(TRAIN.epochs(), TRAIN.batching(), TRAIN.optimizer(), TRAIN.rounds(), run);
  }

  private static StudentRun run(
      ModelSpec model,
      DistillSpec loss,
      TrainSpec train,
      StudentRun.Start start,
      StudentRun.Paths places) {
    return new StudentRun("small", model, loss, train, start, places);
  }

  private static StudentRun.Paths places(String validation, JoinedTeachers joined) {
    return new StudentRun.Paths(
        "cache",
        "",
        new StudentRun.TargetStorage(
            new MlmTargets(MlmTargets.Kind.TOP_K, 32, List.of(1.0, 2.0), DistillSpec.Positions.ALL),
            StudentRun.Scores.STORED),
        validation,
        "students",
        Map.of("teacher", "0123", "tokenizer", "4567", "corpus.max-length", "128"),
        joined);
  }

  private static BitSet bits(int... rows) {
    BitSet bits = new BitSet();
    for (int row : rows) {
      bits.set(row);
    }
    return bits;
  }
}
