package io.stillhouse.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports a small run: a cache, a student with its baseline, and an evaluation. */
@Tag("spark")
class ReportJobTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir private static Path shared;
  @TempDir private Path directory;

  private static Path run;

  @BeforeAll
  static void trainsOnce() throws IOException {
    run = shared.resolve("run");
    Path corpus = Tiny.labelled(shared.resolve("rows.tsv"), 48, "LABEL_2", "LABEL_0");
    TinyRecipe recipe =
        TinyRecipe.labelled(corpus)
            .cache(run.resolve("cache"))
            .shardTokens(256)
            .tinyBertTargets()
            .student(run.resolve("students"))
            .with("student.name=small", "evaluate.output=" + run.resolve("evaluation.json"));
    new CacheJob(Tiny.spark(), recipe.settings()).run();
    new TrainJob(Tiny.spark(), recipe.settings()).run();
    new EvaluateJob(Tiny.spark(), recipe.settings()).run();
    Tiny.verify(run.resolve("cache"), "verify.rows=8");
  }

  @Test
  void reportsRunFromItsRecords() throws IOException {
    Files.createDirectories(directory);
    String page = report(run, ReportJob.Content.RECORDS);
    assertThat(page)
        .contains("<caption id=\"table-models\">Models</caption>")
        .contains("soft-label against tokens seen", "hidden-mse against tokens seen")
        .contains("learning rate against tokens seen", "share of time waiting against tokens seen")
        .contains(
            "Bytes by family",
            "When last verified, it was complete, undamaged and faithful to the teacher.")
        .contains("teacher.path", "rows.tsv")
        .doesNotContain("id=\"layers\"", "id=\"texts\"");
  }

  @Test
  void comparesModelsOnRowsOfCache() throws IOException {
    String page = report(run, ReportJob.Content.RECORDS_AND_MODELS, "report.texts=3");
    assertThat(page).contains("id=\"layers\"", "id=\"calibration\"", "id=\"texts\"");
    // Without a cache of held-out rows, the page says that the rows are those of the training.
    assertThat(page).contains("on 48 training rows");
    JsonObject json = json("report.json");
    assertThat(json.getAsJsonObject("comparison").getAsJsonArray("texts")).hasSize(3);
    assertThat(json.getAsJsonObject("comparison").getAsJsonObject("layers").keySet())
        .containsExactly("small", "small-baseline");
  }

  @Test
  void leavesTextsOutIfAsked() throws IOException {
    String page = report(run, ReportJob.Content.RECORDS_AND_MODELS, "report.texts=0");
    assertThat(page).contains("id=\"layers\"").doesNotContain("id=\"texts\"");
    for (String line : Files.readAllLines(shared.resolve("rows.tsv")).subList(1, 49)) {
      String text = line.split("\t")[0];
      if (text.length() > 20) {
        assertThat(page).doesNotContain(text);
      }
    }
  }

  @Test
  void runsNoModelsIfNoRowsAreAskedFor() throws IOException {
    assertThat(report(run, ReportJob.Content.RECORDS_AND_MODELS, "report.rows=0"))
        .doesNotContain("id=\"layers\"");
  }

  @Test
  void pageMakesNoRequest() throws IOException {
    String page = report(run, ReportJob.Content.RECORDS_AND_MODELS);
    assertThat(page).doesNotContain("http://", "https://", "<script", "@import", "<iframe", "<img");
    assertThat(page.split("url\\(", -1)).hasSize(1);
    assertThat(page.replace("href=\"data:,\"", "").replaceAll("href=\"#[a-z-]+\"", ""))
        .doesNotContain("href=", "src=");
  }

  @Test
  void numbersAreInJson() throws IOException {
    report(run, ReportJob.Content.RECORDS);
    JsonObject json = json("report.json");
    assertThat(json.getAsJsonArray("models")).hasSize(3);
    assertThat(json.getAsJsonArray("curves")).hasSize(2);
    JsonObject curve = json.getAsJsonArray("curves").get(0).getAsJsonObject();
    assertThat(curve.getAsJsonArray("step")).hasSize(6);
    long tokens =
        json.getAsJsonArray("caches")
            .get(0)
            .getAsJsonObject()
            .getAsJsonObject("rows")
            .get("tokens")
            .getAsLong();
    assertThat(curve.getAsJsonArray("tokensSeen").get(5).getAsLong()).isEqualTo(tokens);
    assertThat(Files.readString(directory.resolve("report.json"))).doesNotContain("NaN");
  }

  @Test
  void findsFilesOfMovedRun() throws IOException {
    Path moved = directory.resolve("moved");
    FileUtils.copyDirectory(run.toFile(), moved.toFile());
    String page = report(moved, ReportJob.Content.RECORDS);
    assertThat(page).contains("Bytes by family").contains("Measured on 48 rows");
  }

  @Test
  void reportsTrainingThatIsNotFinished() throws IOException {
    Path students = directory.resolve("students");
    Path metrics = Files.createDirectories(students.resolve("_metrics/tiny"));
    Files.writeString(
        metrics.resolve("steps.jsonl"),
        """
        {"time":"2026-01-02T03:04:05Z","step":1,"steps":9,"loss":2.0,"tokens-seen":64.0,"wait-share":0}
        {"time":"2026-01-02T03:04:06Z","step":3,"steps":9,"loss":1.5,"tokens-seen":190.0,"wait-share":0}
        {"time":"2026-01-02T03:04:0\
        """);
    String page = report(students, ReportJob.Content.RECORDS_AND_MODELS);
    assertThat(page)
        .contains("The training is not finished: run the same command again to resume it.")
        .contains("tiny: in progress.")
        .contains("loss against tokens seen");
  }

  @Test
  void reportsRunThatHasTrainedNothingYet() throws IOException {
    Files.writeString(directory.resolve("distill.json"), "{\"seconds\": {\"data\": 1.5}}");
    assertThat(report(directory, ReportJob.Content.RECORDS_AND_MODELS))
        .contains("No student has been trained yet.", "Time by step");
  }

  @Test
  void reportsCacheAlone() throws IOException {
    assertThat(report(run.resolve("cache"), ReportJob.Content.RECORDS_AND_MODELS))
        .contains("Bytes by family", "relative error");
  }

  @Test
  void namesStudentsThatFailedInSweep() throws IOException {
    Files.writeString(
        directory.resolve("sweep.json"),
        """
        {"result": {"students": [{"name": "a", "status": "FAILED", "values": {}, "mistake": false,
          "problem": "java.io.IOException: <disk>"}]},
         "faults": {"failedTasks": {"java.io.IOException": 2}, "resumedAtStep": {"b": 40}}}
        """);
    assertThat(report(directory, ReportJob.Content.RECORDS))
        .contains("a: failed: java.io.IOException: &lt;disk&gt;.")
        .contains("2 task attempts failed with IOException and were retried.")
        .contains("b was interrupted and resumed from its checkpoint of step 40.");
  }

  @Test
  void reportsDamagedRecordsAsMissing() throws IOException {
    Path copy = directory.resolve("copy");
    FileUtils.copyDirectory(run.toFile(), copy.toFile());
    Files.writeString(copy.resolve("evaluation.json"), "{\"models\": ");
    Files.delete(copy.resolve("students/small/metrics.jsonl"));
    assertThat(report(copy, ReportJob.Content.RECORDS))
        .contains("The students are trained, but not evaluated yet: run evaluate.");
  }

  @Test
  void leavesOutDamagedRecordsOfStudents() throws IOException {
    Path copy = directory.resolve("copy");
    FileUtils.copyDirectory(run.toFile(), copy.toFile());
    Files.writeString(copy.resolve("students/small-baseline/training.json"), "{\"name\": ");
    Files.writeString(copy.resolve("students/small/rounds.jsonl"), "\n{\"round\": ");
    assertThat(report(copy, ReportJob.Content.RECORDS))
        .contains("Measured on 48 rows", "The records show no failed task");
  }

  @Test
  void recipeWithoutEvaluationHasReport() throws IOException {
    Path copy = directory.resolve("copy");
    FileUtils.copyDirectory(run.toFile(), copy.toFile());
    Path record = copy.resolve("students/train-small.json");
    String recorded = Files.readString(record);
    String path = run.resolve("evaluation.json").toString();
    assertThat(recorded).contains(path);
    Files.writeString(record, recorded.replace(path, ""));
    assertThat(report(copy, ReportJob.Content.RECORDS))
        .contains("The students are trained, but not evaluated yet: run evaluate.");
  }

  @Test
  void rejectsDirectoryWithoutRun() throws IOException {
    Files.createDirectories(directory.resolve("empty"));
    assertThatThrownBy(() -> job(directory.resolve("empty")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("contains no run: neither distill.json, nor a directory of students")
        .hasMessageContaining("name the directory that distill, train or sweep wrote");
    assertThatThrownBy(() -> job(directory.resolve("none")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("RUN does not exist");
    assertThatThrownBy(() -> job(shared.resolve("rows.tsv")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("which is a file");
  }

  @Test
  void rejectsSingleStudentAndSeveralDirectoriesOfStudents() throws IOException {
    assertThatThrownBy(() -> job(run.resolve("students/small")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageEndingWith("it is one student, so name the directory that contains it");
    Files.createDirectories(directory.resolve("two/a/_metrics"));
    Files.createDirectories(directory.resolve("two/b/_metrics"));
    assertThatThrownBy(() -> job(directory.resolve("two")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageEndingWith("contains several directories of students: a, b; name one of them");
  }

  @Test
  void rejectsReportThatIsTurnedOff() {
    assertThatThrownBy(
            () ->
                new ReportJob(
                    STORAGE, TinyRecipe.empty().settings("report.output=none"), run.toString()))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("report.output must be a file for the command report, or empty, but is 'none'");
  }

  @Test
  void failureToWriteReportDoesNotFailCommand() throws IOException {
    Path blocked = Files.createDirectories(directory.resolve("page.html"));
    assertThat(
            ReportJob.afterCommand(
                STORAGE,
                TinyRecipe.empty().settings("report.output=" + blocked),
                run.toString(),
                ReportJob.Content.RECORDS))
        .isEmpty();
  }

  @Test
  void writesNoReportIfItIsNotWanted() throws IOException {
    Optional<org.apache.hadoop.fs.Path> page =
        ReportJob.afterCommand(
            STORAGE,
            TinyRecipe.empty().settings("report.output=none"),
            run.toString(),
            ReportJob.Content.RECORDS);
    assertThat(page).isEmpty();
    try (Stream<Path> files = Files.list(run)) {
      assertThat(files).noneMatch(file -> file.toString().endsWith("report.html"));
    }
  }

  private ReportJob job(Path of, String... settings) throws IOException {
    String output = "report.output=" + directory.resolve("report.html");
    return new ReportJob(
        STORAGE, TinyRecipe.empty().with(output).settings(settings), of.toString());
  }

  private String report(Path of, ReportJob.Content content, String... settings) throws IOException {
    return STORAGE.readText(job(of, settings).run(content));
  }

  private JsonObject json(String name) throws IOException {
    return JsonParser.parseString(Files.readString(directory.resolve(name))).getAsJsonObject();
  }
}
