package io.stillhouse.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Students of the tiny golden masked LM, which differ in depth, rate, terms and steps. */
class LockstepTest {
  private static final long NO_PAUSE = Long.MAX_VALUE;

  @TempDir private Path directory;
  private HuggingFaceDirectory teacher;
  private List<List<Example>> shards;
  private final Map<Path, DirectoryCheckpoints> stores = new HashMap<>();

  /** The result of {@link #together}. */
  private record Ended(
      Map<String, Map<String, float[]>> weights,
      Map<String, String> problems,
      List<String> steps,
      List<Integer> reads) {}

  private record Student(String name, int layers, double rate, int steps, double attention) {}

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    teacher = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-mlm-v1"));
    try (NDManager manager = NDManager.newBaseManager()) {
      List<Example> rows =
          GoldenTargets.of(new Golden("bert-tiny-mlm-v1/golden.safetensors", manager));
      shards = new ArrayList<>();
      for (int row = 0; row < 16; row++) {
        if (row % 6 == 0) {
          shards.add(new ArrayList<>());
        }
        shards.get(shards.size() - 1).add(rows.get(row % rows.size()));
      }
    }
  }

  @Test
  void everyStudentEqualsOneTrainedAlone() throws IOException {
    List<Student> students =
        List.of(
            new Student("a", 1, 3e-3, 12, 0.1),
            new Student("b", 3, 1e-3, 12, 0),
            new Student("c", 1, 1e-2, 7, 1));
    Ended ended = together(students, "together", NO_PAUSE);

    assertThat(ended.problems()).isEmpty();
    assertThat(ended.steps()).startsWith("a1", "b1", "c1", "a2", "b2", "c2").endsWith("a12", "b12");
    for (Student student : students) {
      Map<String, float[]> alone =
          together(List.of(student), "alone", NO_PAUSE).weights().get(student.name());
      requireSameBits(ended.weights().get(student.name()), alone);
      requireSameBits(ended.weights().get(student.name()), byTrainer(student));
    }
  }

  @Test
  void readsRowsOnceForAllStudents() throws IOException {
    List<Student> one = List.of(new Student("a", 1, 3e-3, 12, 0.1));
    List<Student> three =
        List.of(one.get(0), new Student("b", 1, 1e-3, 12, 0.1), new Student("c", 1, 1e-2, 12, 0.1));

    List<Integer> reads = together(three, "three", NO_PAUSE).reads();

    assertThat(reads)
        .isEqualTo(together(one, "one", NO_PAUSE).reads())
        .hasSizeLessThanOrEqualTo(9); // of three epochs
  }

  @Test
  void failureDoesNotAffectOtherStudents() throws IOException {
    List<Student> students =
        List.of(new Student("a", 1, 3e-3, 12, 0.1), new Student("broken", 1, 1e30, 12, 0.1));
    Ended ended = together(students, "both", NO_PAUSE);

    assertThat(ended.problems()).containsOnlyKeys("broken");
    assertThat(ended.problems().get("broken")).contains("were not finite");
    requireSameBits(ended.weights().get("a"), byTrainer(students.get(0)));
  }

  @Test
  void pausesAndCheckpointsDoNotChangeBits() throws IOException {
    Student student = new Student("a", 1, 3e-3, 12, 0.1);
    Student other = new Student("b", 1, 1e-3, 12, 0.1);
    Ended paused = together(List.of(student, other), "paused", 6);
    assertThat(paused.steps()).endsWith("a6", "b6");
    Ended further = together(List.of(student), "paused", 9);
    assertThat(further.steps()).containsExactly("a7", "a8", "a9");

    Ended ended = together(List.of(student, other), "paused", NO_PAUSE);

    assertThat(ended.steps()) // the one that lies behind catches up
        .startsWith("b7", "b8", "b9", "a10", "b10", "a11");
    requireSameBits(ended.weights().get("a"), byTrainer(student));
    requireSameBits(ended.weights().get("b"), byTrainer(other));
  }

  @Test
  void rejectsStudentsWithDifferentRowOrders() {
    MemorySource source = new MemorySource(shards);

    assertThatThrownBy(
            () -> new Lockstep(source, List.of(train(12, 1e-3, 42), train(12, 1e-3, 43)), NO_PAUSE))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("all students must read the rows in the same order");
  }

  private Ended together(List<Student> students, String name, long pause) throws IOException {
    MemorySource source = new MemorySource(shards);
    Ended ended =
        new Ended(new LinkedHashMap<>(), new LinkedHashMap<>(), new ArrayList<>(), source.reads());
    try (NDManager manager = NDManager.newBaseManager();
        Lockstep lockstep =
            new Lockstep(
                source,
                students.stream().map(s -> train(s.steps(), s.rate(), 42)).toList(),
                pause)) {
      Map<Trainer.Run, String> names = new LinkedHashMap<>();
      Map<String, Map<String, NDArray>> weights = new LinkedHashMap<>();
      for (Student student : students) {
        Path checkpoints = directory.resolve(name + "-" + student.name());
        Files.createDirectories(checkpoints);
        weights.put(student.name(), weights(manager, student));
        Trainer trainer =
            new Trainer(
                setup(student),
                source,
                stores.computeIfAbsent(checkpoints, DirectoryCheckpoints::new),
                report -> ended.steps().add(student.name() + report.step()));
        names.put(
            lockstep.begin(trainer, manager, weights.get(student.name()), parts(manager)),
            student.name());
      }
      lockstep.run(
          new Lockstep.Watcher() {
            @Override
            public void reached(Trainer.Run run) throws IOException {
              if (run.stepsDone() < run.steps()) {
                run.checkpoint();
              }
              ended.weights().put(names.get(run), values(weights.get(names.get(run))));
              run.close();
            }

            @Override
            public void failed(Trainer.Run run, Exception problem) {
              ended.problems().put(names.get(run), problem.getMessage());
              run.close();
            }
          });
    }
    return ended;
  }

  private Map<String, float[]> byTrainer(Student student) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      Map<String, NDArray> weights = weights(manager, student);
      Path none = Files.createTempDirectory(directory, "trainer");
      new Trainer(
              setup(student),
              new MemorySource(shards),
              new DirectoryCheckpoints(none),
              report -> {})
          .run(manager, weights, parts(manager));
      return values(weights);
    }
  }

  private Map<String, NDArray> weights(NDManager manager, Student student) {
    Map<String, NDArray> weights = StudentInit.random(manager, model(student), 1);
    weights.putAll(
        StudentInit.projections(
            manager, setup(student).loss(), 16, teacher.spec().hiddenSize(), 1));
    return weights;
  }

  private TeacherParts parts(NDManager manager) {
    return new TeacherParts(new Encoder(teacher.spec(), teacher.weights(manager)), MlmTargets.NONE);
  }

  private static Map<String, float[]> values(Map<String, NDArray> weights) {
    Map<String, float[]> values = new LinkedHashMap<>();
    weights.forEach((name, weight) -> values.put(name, weight.toFloatArray()));
    return values;
  }

  private static void requireSameBits(Map<String, float[]> actual, Map<String, float[]> expected) {
    assertThat(actual).containsOnlyKeys(expected.keySet());
    expected.forEach(
        (name, values) -> assertThat(actual.get(name)).as(name).containsExactly(values));
  }

  private EncoderSpec model(Student student) {
    return new EncoderSpec(
        teacher.spec().embeddings(),
        new EncoderSpec.Blocks(student.layers(), 16, 4, 32),
        new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
        teacher.spec().head());
  }

  private Trainer.Setup setup(Student student) {
    List<Integer> map =
        IntStream.rangeClosed(0, student.layers())
            .map(m -> m * 3 / student.layers())
            .boxed()
            .toList();
    return new Trainer.Setup(
        model(student),
        new DistillSpec(
            map,
            new DistillSpec.SoftLabel(5, DistillSpec.Kind.KL, 2, DistillSpec.Positions.ALL),
            2,
            new DistillSpec.Hidden(
                1, DistillSpec.CosineLayers.LAST, 0, 0, 0, DistillSpec.Projection.PER_LAYER),
            student.attention(),
            DistillSpec.Relations.NONE),
        train(student.steps(), student.rate(), 42),
        student.name());
  }

  private static TrainSpec train(int steps, double rate, long seed) {
    return new TrainSpec(
        10,
        new TrainSpec.Batching(4, 24, 1, TrainSpec.Order.SHUFFLED),
        new TrainSpec.Optimizer(rate, 0.1, new TrainSpec.Betas(0.9, 0.999, 1e-8), 0.01, 1),
        TrainSpec.Rounds.NONE,
        new TrainSpec.Run(steps, seed, 1, 5, Precision.FLOAT32));
  }
}
