package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SweepTest {
  @TempDir private Path directory;

  @Test
  void everyCombinationIsStudentNamedAfterItsValues() throws IOException {
    List<Sweep.Student> students =
        students(
            """
            sweep.over {
              "student.layers" = [2, 4]
              "loss.soft-label.temperature" = [1, 2.5]
              student.layer-map = [uniform, "[0,3,12]", [0, 6, 12]]
            }
            """);

    assertThat(students)
        .extracting(Sweep.Student::name)
        .hasSize(12)
        .doesNotHaveDuplicates()
        .startsWith(
            "layers-2_layer-map-uniform_temperature-1",
            "layers-2_layer-map-uniform_temperature-2.5",
            "layers-2_layer-map-0-3-12_temperature-1")
        .allMatch(name -> Options.STUDENT_NAME.rule().test(name));
    assertThat(students.get(4).values())
        .isEqualTo(
            Map.of(
                "student.layers", "2",
                "student.layer-map", "[0, 6, 12]",
                "loss.soft-label.temperature", "1"));
  }

  @Test
  void argumentsAddOrReplaceListsOfRecipe() throws IOException {
    List<Sweep.Student> students =
        students(
            "sweep.over { student.layers = [2, 4], train.seed = [1] }",
            "sweep.over.train.seed=[7, 8]",
            "sweep.over.\"student.layer-map\"=[top, [0, 3]]",
            "sweep.over.student.layers=1");

    assertThat(students)
        .extracting(Sweep.Student::name)
        .containsExactly(
            "layers-1_layer-map-top_seed-7",
            "layers-1_layer-map-top_seed-8",
            "layers-1_layer-map-0-3_seed-7",
            "layers-1_layer-map-0-3_seed-8");
  }

  @Test
  void namesKeepNotationOfValues() throws IOException {
    assertThat(
            students(
                "sweep.over { train.learning-rate = [5e-5, 0.001], student.init = [random,"
                    + " \"/a/tiny/\"] }"))
        .extracting(Sweep.Student::name)
        .containsExactly(
            "init-random_learning-rate-5e-5",
            "init-random_learning-rate-0.001",
            "init-tiny_learning-rate-5e-5",
            "init-tiny_learning-rate-0.001");
  }

  @Test
  void ambiguousKeysGetLongerNames() throws IOException {
    assertThat(
            students(
                "sweep.over { loss.hidden-cosine.layers = [all], student.layers = [3],"
                    + " loss.hidden-mse.weight = [1], loss.attention-mse.weight = [0] }"))
        .extracting(Sweep.Student::name)
        .containsExactly("layers-3_hidden-cosine.layers-all_hidden-mse-1_attention-mse-0");
  }

  @Test
  void listedStudentsAreCombinedWithEveryValue() throws IOException {
    List<Sweep.Student> students =
        students(
            """
            sweep.students = [
              { name = small, student { layers = 2, layer-map = [0, 6, 12] } }
              { student.layers = 4 }
            ]
            sweep.over.train.seed = [1, 2]
            """);

    assertThat(students)
        .extracting(Sweep.Student::name)
        .containsExactly("small_seed-1", "small_seed-2", "layers-4_seed-1", "layers-4_seed-2");
    assertThat(students.get(0).values())
        .containsEntry("student.layer-map", "[0, 6, 12]")
        .containsEntry("train.seed", "1");
  }

  @Test
  void equalNamesAreNumbered() throws IOException {
    assertThat(students("sweep.over.student.init = [\"/a/bert\", \"/b/bert\"]"))
        .extracting(Sweep.Student::name)
        .containsExactly("init-bert", "init-bert-2");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, 1_234_567_890, 12_345_678_901L, Long.MIN_VALUE, Long.MAX_VALUE})
  void groupNameOmitsSeed(long seed) throws IOException {
    assertThat(
            students(format("sweep.over.train.seed = [%d, 2]", seed)).stream()
                .map(student -> Sweep.seeded(student.name()).orElseThrow()))
        .containsExactly(new Sweep.Seeded("student", seed), new Sweep.Seeded("student", 2));
    assertThat(Sweep.seeded(format("tiny_seed-%d-baseline", seed)))
        .contains(new Sweep.Seeded("tiny-baseline", seed));
  }

  @Test
  void groupNameKeepsNumbersOtherThanSeed() {
    assertThat(Sweep.seeded("tiny_seed-9223372036854775808")).isEmpty();
    assertThat(Sweep.seeded("tiny")).isEmpty();
  }

  @Test
  void recipeWithoutSweepHasNoStudents() throws IOException {
    assertThat(students("student.layers = 4")).isEmpty();
  }

  @Test
  void reportsEveryProblemAtOnce() {
    assertThatThrownBy(
            () ->
                students(
                    """
                    sweep {
                      over {
                        student.layerz = [1]
                        student.heads = []
                        student.dropout = [0.1, 1.5]
                        cache.path = [a, b]
                        train.seed = [1, 2, 1]
                        student.name = [a]
                        train.epochs = [1]
                      }
                      students = [{ name = "a b" }, { train.epochs = 2, device = cpu }]
                      halving { at = [200, 100], keep = 1, by = luck }
                    }
                    """))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            """
            12 problems:
              - sweep.halving.at must be an increasing list of whole numbers > 0 such as [200, 400], but is '[200, 100]'
              - sweep.halving.keep must be a number > 0 and < 1, but is '1'
              - sweep.halving.by must be one of loss, soft-label, hard-label, hidden-cosine, hidden-mse, embedding-mse, first-token-mse, attention-mse, attention-kl, query-relation, key-relation, value-relation, agreement, accuracy, f1, matthews, pearson, spearman, micro-f1, macro-f1, exact-match, but is 'luck'
              - 'cache.path' cannot be in sweep.over, because all students of a sweep share it; set it outside, and run one sweep for each value
              - 'device' cannot be in sweep.students, because all students of a sweep share it; set it outside, and run one sweep for each value
              - 'student.name' cannot be in sweep.over, because its students are named after their values; name students in sweep.students
              - 'train.epochs' is in sweep.over and in sweep.students; remove it from one of them
              - student.dropout in sweep.over must be a number >= 0 and < 1, but is '1.5'
              - student.name in sweep.students must be letters, digits, '.', '_' or '-', but is 'a b'
              - sweep.over.student.heads must be a list of values, but is empty; add values, or remove the key
              - sweep.over.train.seed contains '1' twice, but each combination is trained once; remove one
              - unknown key 'student.layerz' in sweep.over; did you mean 'student.layers'?\
            """);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sweep.over=5|sweep.over must be lists of values by key, such as { student.layers = [2, 4],"
            + " train.seed = [1, 2] }, but is '5'",
        "sweep.students=[2]|sweep.students must be a list of students, such as [{ name = a,"
            + " student.layers = 2 }, { name = b, student.layers = 4 }], but is '[2]'",
        "sweep.students=[{name=a,train.seed=1},{name=a,train.seed=2}]|sweep.students names 'a' 2"
            + " times; give each student a different name",
        "sweep.students=[{name=a,train.seed=1},{name=b,train.seed=1}]|sweep.students contains"
            + " {train.seed=1} twice, but each student is trained once; remove one",
        "sweep.over.train.stages=[a]|'train.stages' cannot be in sweep.over, because all students"
            + " of a sweep share it; set it outside, and run one sweep for each value",
        "sweep.students=[{name=a,train.stages=[{name=b}]}]|'train.stages' cannot be in"
            + " sweep.students, because all students of a sweep share it; set it outside, and run"
            + " one sweep for each value",
        "sweep.over.student.heads=[]|sweep.over.student.heads must be a list of values, but is"
            + " empty; add values, or remove the key"
      })
  void reportsProblem(String argument, String message) {
    assertThatThrownBy(() -> Settings.parse(null, List.of(argument)))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
  }

  @Test
  void rejectsMoreThanThousandStudents() {
    String seeds = java.util.stream.IntStream.range(0, 40).boxed().toList().toString();

    assertThatThrownBy(
            () ->
                Settings.parse(
                    null,
                    List.of(
                        "sweep.over.train.seed=" + seeds,
                        "sweep.over.train.epochs=" + seeds.replace("[0", "[99"))))
        .hasMessage(
            "sweep.over and sweep.students define 1,600 students, but at most 1,000 are allowed;"
                + " remove values");
  }

  @Test
  void onlyKeepsNamedStudents() throws IOException {
    assertThat(
            students("", "sweep.over.student.layers=[1, 2, 3]", "sweep.only=[layers-3, layers-1]"))
        .extracting(Sweep.Student::name)
        .containsExactly("layers-1", "layers-3");
  }

  @Test
  void onlyRejectsUnknownStudent() {
    assertThatThrownBy(
            () -> students("", "sweep.over.student.layers=[1, 2]", "sweep.only=[layers-3]"))
        .hasMessage(
            "sweep.only names [layers-3], but the students of the sweep are [layers-1, layers-2];"
                + " choose from these");
  }

  private List<Sweep.Student> students(String recipe, String... arguments) throws IOException {
    Path file = Files.writeString(directory.resolve("recipe.conf"), recipe);
    return Sweep.students(Settings.parse(file, List.of(arguments)));
  }
}
