package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("spark")
class DistillJobTest implements DistillJob.Surroundings {
  @TempDir Path directory;
  private final List<String> printed = new ArrayList<>();
  private Path table;
  private Path to;

  @BeforeEach
  void writeTable() throws IOException {
    table = Tiny.labelled(directory.resolve("table.tsv"), 120, "yes", "no");
    to = directory.resolve("to");
  }

  @Test
  void distillsTableAndWritesRecipe() throws IOException {
    Evaluation evaluation = distill("teacher.path=" + Tiny.MLM);

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
    distill("teacher.path=" + Tiny.MLM);
    byte[] student = Files.readAllBytes(to.resolve("students/distilled/model.safetensors"));
    printed.clear();

    Evaluation again = distill("teacher.path=" + Tiny.MLM);

    assertThat(again.models()).hasSize(3);
    assertThat(printed).anyMatch(line -> line.endsWith("teacher, which is already fine-tuned"));
    assertThat(to.resolve("students/distilled/model.safetensors")).hasBinaryContent(student);
  }

  @Test
  void rejectsOtherArgumentsInSameDirectory() throws IOException {
    Files.createDirectories(to);
    Files.writeString(
        to.resolve("distill.json"),
        Storage.JSON.toJson(DistillRecord.begin("other.csv", List.of("student.layers=2"))));

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
  void rowsWithoutLabelAreTextForTeacher() throws IOException {
    Files.writeString(table, Files.readString(table) + "he in the\t\nwith of\t \n");
    Path more = Files.writeString(directory.resolve("more.csv"), "text\nbing wed\n");

    TableSplit.Result split = split("corpus.unlabelled=" + more);

    assertThat(split.unlabelled()).isEqualTo(3);
    assertThat(split.train() + split.validation() + split.repeated()).isEqualTo(120);
  }

  @Test
  void holdsOutSameShareOfEachClassAndNoTextTwice() throws IOException {
    StringBuilder rows = new StringBuilder("text\tlabel\n");
    for (int row = 0; row < 400; row++) {
      rows.append(format("text %d\t%s\n", row % 390, row % 4 == 0 ? "rare" : "common"));
    }
    Files.writeString(table, rows.append("one\tonce\n"));

    TableSplit.Result split = split();

    List<Row> heldOut = rows("validation");
    assertThat(heldOut).hasSize((int) split.validation()).hasSizeBetween(195, 205);
    assertThat(heldOut.stream().filter(row -> row.getString(3).equals("rare")).count())
        .isEqualTo(50);
    assertThat(split.classes()).containsOnlyKeys("common", "once", "rare");
    Set<String> trained =
        rows("train").stream().map(row -> row.getString(1)).collect(Collectors.toSet());
    assertThat(heldOut).noneMatch(row -> trained.contains(row.getString(1)));
  }

  @Test
  void namesColumnsOfTableThatIsNotObvious() throws IOException {
    Files.writeString(table, "a\tb\tc\n1\t2\t3\n");

    assertThatThrownBy(() -> split())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("has the columns [a, b, c]")
        .hasMessageContaining("set corpus.text and corpus.label");
  }

  @Test
  void findsLabelOfTwoColumnsByItsValues() throws IOException {
    Files.writeString(table, Files.readString(table).replace("text\tlabel", "a\tb"));

    assertThat(split().columns()).isEqualTo(new TableColumns("a", "", "b"));
  }

  private TableSplit.Result split(String... more) throws IOException {
    DistillJob.Request request = request(more);
    return new TableSplit(
            Tiny.spark(),
            request.settings(),
            Storage.ofThisProcess(),
            new org.apache.hadoop.fs.Path(to.resolve("data").toUri()))
        .run();
  }

  private List<Row> rows(String part) {
    return Tiny.spark().read().parquet(to.resolve("data").resolve(part).toString()).collectAsList();
  }

  private Evaluation distill(String... more) throws IOException {
    DistillJob.Request request = request(more);
    return new DistillJob(Tiny.spark(), request.settings(), request, this).run().evaluation();
  }

  private DistillJob.Request request(String... more) {
    List<String> arguments = new ArrayList<>(List.of(more));
    if (more.length > 0 && more[0].startsWith("teacher.path")) {
      arguments.addAll(
          List.of("corpus.max-length=40", "smoke=true", "train.threads=1", "evaluate.speed=false"));
    }
    return new DistillJob.Request(table.toString(), to, arguments);
  }

  @Override
  public Path download(String coordinates) {
    throw new IllegalStateException("no test downloads " + coordinates);
  }

  @Override
  public Settings opened(Settings recipe) {
    return recipe;
  }

  @Override
  public void say(String line) {
    printed.add(line);
  }
}
