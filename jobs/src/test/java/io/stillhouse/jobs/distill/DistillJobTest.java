package io.stillhouse.jobs.distill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("spark")
class DistillJobTest extends DistillFixture {
  @Test
  void distillsTableAndWritesRecipe() throws IOException {
    Evaluation evaluation = distill();

    assertThat(evaluation.models())
        .extracting(Evaluation.Model::name)
        .containsExactly("teacher", "baseline", "distilled");
    assertThat(to)
        .isDirectoryContaining("glob:**/{data,teacher,cache,students,export,recipe.conf}")
        .isDirectoryContaining(path -> path.endsWith("distill.json"));
    assertThat(HuggingFaceDirectory.open(to.resolve("export")).spec().head().labels())
        .containsExactly("no", "yes");
    Settings recipe = Settings.parse(to.resolve("recipe.conf"), List.of());
    assertThat(recipe.allValues())
        .containsEntry("student.init", Tiny.MLM.toString())
        .containsEntry("student.layers", "1")
        .containsEntry("corpus.max-length", "40");
    assertThat(printed)
        .contains("   columns: text 'text', label 'label'")
        .anyMatch(line -> line.startsWith("   on the held-out rows: "))
        .anyMatch(line -> line.startsWith("seconds: data "));
  }

  @Test
  void repeatedCommandDoesNothingAgain() throws IOException {
    distill();
    byte[] student = Files.readAllBytes(to.resolve("students/distilled/model.safetensors"));
    printed.clear();

    Evaluation again = distill();

    assertThat(again.models()).hasSize(3);
    assertThat(printed).anyMatch(line -> line.endsWith("teacher, which is already fine-tuned"));
    assertThat(to.resolve("students/distilled/model.safetensors")).hasBinaryContent(student);
  }

  @Test
  void rejectsOtherArgumentsInSameDirectory() throws IOException {
    Files.createDirectories(to);
    Files.writeString(
        to.resolve("distill.json"),
        Storage.JSON.toJson(
            DistillRecord.begin(
                "other.csv", new DistillDirectory(to), List.of("student.layers=2"))));
    Files.writeString(to.resolve("recipe.conf"), "");

    assertThatThrownBy(() -> distill())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("holds the results of distill other.csv")
        .hasMessageContaining("use another directory, or change its recipe.conf");
  }

  @Test
  void takesTeacherOfSameClassesAsItIs() throws IOException {
    table = Tiny.labelled(directory.resolve("classes.tsv"), 120, "LABEL_2", "LABEL_0");
    Files.writeString(
        table, Files.readString(table).replaceFirst("\n", "\nhe was\tLABEL_1\nthat is\tLABEL_1\n"));

    distill("teacher.path=" + Tiny.CLS);

    assertThat(to.resolve("teacher")).doesNotExist();
    assertThat(printed).anyMatch(line -> line.endsWith("which already has the table's labels"));
  }

  @Test
  void directoryMayHaveAnyOtherCharacters() throws IOException {
    to = directory.resolve("it's, \u00fcn\u00ef 100% #1");

    distill();

    try (Stream<Path> siblings = Files.list(directory)) {
      assertThat(siblings).containsExactlyInAnyOrder(table, to);
    }
    Settings recipe =
        Settings.parse(
            to.resolve("recipe.conf"),
            List.of("smoke=true", "student.name=other", "train.threads=1", "evaluate.speed=false"));
    StagedTraining.train(Tiny.spark(), Recipe.prepare(recipe));
    assertThat(to.resolve("students/other")).isDirectory();
  }

  @Test
  void repeatedCommandRestoresWhatIsMissing() throws IOException {
    distill();
    byte[] student = Files.readAllBytes(to.resolve("students/distilled/model.safetensors"));

    for (List<String> missing :
        List.of(
            List.of("export", "evaluation.json"),
            List.of("students", "validation-cache", "recipe.conf"),
            List.of("cache", "students", "teacher", "data"))) {
      for (String name : missing) {
        FileUtils.forceDelete(to.resolve(name).toFile());
      }
      distill();
      assertThat(to.resolve("students/distilled/model.safetensors")).hasBinaryContent(student);
      assertThat(to.resolve("export/model.safetensors")).exists();
    }
  }

  @Test
  void mistakeCanBeCorrectedInSameDirectory() throws IOException {
    assertThatThrownBy(() -> distill("student.layers=9"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("9");
    assertThat(to.resolve("teacher")).doesNotExist();
    assertThatThrownBy(() -> distill("teacher.path=" + directory.resolve("typo")))
        .hasMessageContaining("typo");

    assertThat(distill().models()).hasSize(3);
  }

  @Test
  void rejectsDirectoryWithFilesOfOthers() throws IOException {
    Path mine = Files.createDirectories(to.resolve("data/train")).resolve("rows.csv");
    Files.writeString(mine, "text,label");

    assertThatThrownBy(() -> distill())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("contains 'data' but no distill.json, so it is not the directory")
        .hasMessageContaining("name another directory");
    assertThat(mine).hasContent("text,label");
  }

  @Test
  void rejectsDirectoryThatWasMoved() throws IOException {
    Files.createDirectories(to);
    Files.writeString(
        to.resolve("distill.json"),
        Storage.JSON.toJson(
            DistillRecord.begin(
                table.toString(), new DistillDirectory(directory.resolve("before")), List.of())));

    assertThatThrownBy(() -> distill())
        .hasMessageContaining("were written to '" + directory.resolve("before"))
        .hasMessageContaining("name it in the same way, from the same working directory");
  }

  @Test
  void rejectsDamagedRecord() throws IOException {
    Files.createDirectories(to);
    Files.writeString(to.resolve("distill.json"), "{\"request\": 1");

    assertThatThrownBy(() -> distill())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("distill.json' is damaged");
    Files.writeString(to.resolve("distill.json"), "{}");
    assertThatThrownBy(() -> distill()).hasMessageContaining("distill.json' is not complete");
  }
}
