package io.stillhouse.jobs.heads;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.JsonParser;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.evaluate.HeadImportance;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.PrunedHeads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Measures the heads of tiny models, 3 blocks of 4 heads, and prunes students of some. */
@Tag("spark")
class HeadImportanceJobTest {
  @TempDir private Path directory;
  private final SparkSession spark = Tiny.spark();
  private Path rows;

  @BeforeEach
  void writeRows() throws IOException {
    rows = Tiny.labelled(directory.resolve("rows.tsv"), 48, "LABEL_2", "LABEL_0");
  }

  @Test
  void writesImportanceOfEveryHead() throws IOException {
    HeadImportanceReport report = heads();

    assertThat(report.rows()).isEqualTo(48);
    assertThat(report.blocks()).extracting(HeadImportance::block).containsExactly(1, 2, 3);
    for (HeadImportance block : report.blocks()) {
      assertThat(block.importance().stream().mapToDouble(i -> i * i).sum())
          .isCloseTo(1, within(1e-12));
      assertThat(block.standardErrors()).hasSize(Tiny.HEADS).allMatch(error -> error > 0);
    }
    assertThat(report.blocks().stream().flatMap(block -> block.ranks().stream()).sorted())
        .containsExactlyElementsOf(IntStream.rangeClosed(1, 12).boxed().toList());
    assertThat(Storage.JSON.fromJson(Files.readString(json()), HeadImportanceReport.class))
        .isEqualTo(report);
    assertThat(report.table().lines()).hasSize(4);
    assertThat(report.table().lines().findFirst().orElseThrow())
        .startsWith("block")
        .endsWith("head 4");
  }

  @Test
  void gradientsOfRowDoNotDependOnItsBatch() throws IOException {
    List<HeadImportance> together = heads("head-importance.normalize=none").blocks();
    List<HeadImportance> alone =
        heads("head-importance.normalize=none", "cache.batch-tokens=16").blocks();

    for (int block = 0; block < together.size(); block++) {
      for (int head = 0; head < Tiny.HEADS; head++) {
        double expected = together.get(block).importance().get(head);
        assertThat(alone.get(block).importance().get(head))
            .isCloseTo(expected, within(1e-4 * expected)); // float32 over three blocks
      }
    }
  }

  @Test
  void drawsRowsBySeed() throws IOException {
    HeadImportanceReport some = heads("head-importance.rows=10");

    assertThat(some.rows()).isEqualTo(10);
    assertThat(heads("head-importance.rows=10")).isEqualTo(some);
    assertThat(heads("head-importance.rows=10", "head-importance.seed=7").blocks())
        .isNotEqualTo(some.blocks());
  }

  @Test
  void measuresMaskedLmOnProse() throws IOException {
    Path text = Tiny.lines(directory.resolve("prose.txt"), 60);

    HeadImportanceReport report =
        new HeadImportanceJob(
                spark,
                TinyRecipe.text(text)
                    .settings(
                        "head-importance.model=" + Tiny.MLM,
                        "corpus.max-length=24",
                        "head-importance.rows=20",
                        "head-importance.output=" + json()))
            .run();

    assertThat(report.rows()).isEqualTo(20);
    assertThat(report.blocks().get(2).importance()).allMatch(importance -> importance > 0);
  }

  @Test
  void prunesLeastImportantHeadsOfInitialBlocks() throws IOException {
    HeadImportanceReport report = heads();
    cache();

    List<TrainedStudent> students = train().students();

    List<List<Integer>> expected =
        PrunedHeads.least(
                List.of(report.blocks().get(2).importance(), report.blocks().get(0).importance()),
                4)
            .blocks();
    assertThat(students).hasSize(2); // with the baseline
    for (TrainedStudent student : students) {
      assertThat(student.model().prunedHeads()).isEqualTo(expected);
      assertThat(student.summary()).contains(", 4 heads pruned");
      assertThat(student.losses().last().values()).allMatch(Double::isFinite);
      requirePruned(Path.of(java.net.URI.create(student.directory())), expected);
    }
    assertThat(
            JsonParser.parseString(
                    Files.readString(directory.resolve("students/student/training.json")))
                .getAsJsonObject()
                .getAsJsonObject("model")
                .has("prunedHeads"))
        .isTrue();
  }

  @Test
  void rejectsRestartWithDifferentPruning() throws IOException {
    heads();
    cache();
    train();

    assertThatThrownBy(() -> train("student.pruned-heads=0.25"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("contains a student of another recipe or cache");
  }

  @Test
  void measuresAndPrunesHeadsOfSharedBlocksOnce() throws IOException {
    String albert = "teacher.path=" + Tiny.ALBERT;
    HeadImportanceReport report = heads(albert);
    new CacheJob(spark, table(albert).settings()).run();

    TrainedStudent student =
        train(albert, "student.architecture=albert", "student.init-layers=[]").students().get(0);

    assertThat(report.blocks()).hasSize(1);
    assertThat(student.model().prunedHeads())
        .isEqualTo(PrunedHeads.least(List.of(report.blocks().get(0).importance()), 2).blocks());
  }

  @Test
  void laterStageKeepsPrunedHeads() throws IOException {
    heads();
    cache();
    Path other = Tiny.otherWeights(directory.resolve("another"));
    Path second = directory.resolve("second");
    new CacheJob(spark, table().teacher(other).cache(second).settings()).run();
    // The second stage's layer map would select other blocks and other heads, and its teacher
    // does not have the weights whose heads were measured.
    String stages =
        format(
            "train.stages=[{ name = a, student.layer-map = [0, 1, 2] }, { name = b,"
                + " student.layer-map = [0, 2, 3], teacher.path = \"%s\", cache.path = \"%s\" }]",
            other, second);

    List<TrainedStudent> students =
        StagedTraining.train(
                spark, student().withoutBaseline().settings("student.init-layers=[]", stages))
            .students();

    TrainedStudent first =
        Storage.JSON.fromJson(
            Files.readString(directory.resolve("students/_stages/1-a/student/training.json")),
            TrainedStudent.class);
    assertThat(students.get(0).model().prunedHeads()).isEqualTo(first.model().prunedHeads());
    requirePruned(directory.resolve("students/student"), first.model().prunedHeads());
  }

  @Test
  void rejectsImportancesOfOtherWeights() throws IOException {
    cache();
    heads("head-importance.model=" + Tiny.MLM);
    assertThatThrownBy(this::train)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("whose weights differ from those that the student starts from")
        .hasMessageContaining("bert-tiny-mlm-v1");
  }

  @Test
  void rejectsFileWithoutImportances() throws IOException {
    cache();
    Files.writeString(json(), "{}");
    assertThatThrownBy(this::train)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "is not an output file of head-importance; set it to the head-importance.output of "
                + "that command");
  }

  @Test
  void rejectsMissingFile() throws IOException {
    cache();
    assertThatThrownBy(this::train)
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("student.head-importance does not exist");
  }

  @Test
  void rejectsIncompleteImportances() throws IOException {
    cache();
    HeadImportanceReport report = heads();
    HeadImportance last = report.blocks().get(2);
    List<Double> fewer = last.importance().subList(0, 3);
    List<HeadImportance> blocks = new ArrayList<>(report.blocks().subList(0, 2));
    for (HeadImportance odd :
        Arrays.asList(null, new HeadImportance(3, fewer, last.standardErrors(), last.ranks()))) {
      blocks.add(odd);
      write(report, blocks);
      assertRejected();
      blocks.remove(2);
    }
    write(report, blocks);
    assertRejected();
  }

  private void write(HeadImportanceReport report, List<HeadImportance> blocks) throws IOException {
    HeadImportanceReport cut =
        new HeadImportanceReport(
            report.model(), report.weights(), report.rows(), report.normalize(), blocks);
    Files.writeString(json(), Storage.JSON.toJson(cut));
  }

  private void assertRejected() {
    assertThatThrownBy(this::train)
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "student.head-importance '%s' must contain a finite importance for each of 4 heads"
                    + " in 3 blocks, but lacks some or contains others; run head-importance again,"
                    + " and do not edit its output",
                json()));
  }

  @Test
  void rejectsPruningOfAllHeadsOfBlock() throws IOException {
    cache();
    heads();
    assertThatThrownBy(() -> train("student.pruned-heads=0.9"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.pruned-heads is 0.9, which is 7 of 8 heads, but each of 2 blocks must keep "
                + "one; prune at most 6, a share of 0.7500");
  }

  @Test
  void rejectsCorpusWithoutLabels() {
    assertThatThrownBy(() -> heads("corpus.label="))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.label is missing, but the importance of heads is measured on labels; name the"
                + " column");
  }

  @Test
  void rejectsRowsLongerThanPositionsOfModel() {
    assertThatThrownBy(() -> heads("corpus.max-length=41"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "corpus.max-length must be at most the positions of bert-tiny-cls-v1, 40, but is '41';"
                + " lower it");
  }

  private void requirePruned(Path student, List<List<Integer>> pruned) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory opened = HuggingFaceDirectory.open(student);
      for (int block = 1; block <= pruned.size(); block++) {
        NDArray values =
            opened
                .weights(manager)
                .get(EncoderSpec.blockPrefix(block) + "attention.self.value.weight");
        for (int head = 1; head <= Tiny.HEADS; head++) {
          NDArray own = values.get(format("%d:%d", (head - 1) * 8, head * 8));
          assertThat(own.abs().sum().getFloat() == 0)
              .isEqualTo(pruned.get(block - 1).contains(head));
        }
      }
    }
  }

  private Path json() {
    return directory.resolve("heads.json");
  }

  private TinyRecipe table(String... more) {
    return TinyRecipe.labelled(rows)
        .cache(directory.resolve("cache"))
        .with("targets.hidden=[1, 2, 3]", "head-importance.output=" + json())
        .with(more);
  }

  private HeadImportanceReport heads(String... more) throws IOException {
    return new HeadImportanceJob(spark, table(more).settings()).run();
  }

  private void cache() throws IOException {
    new CacheJob(spark, table().settings()).run();
  }

  private TinyRecipe student() {
    return table("student.head-importance=" + json())
        .student(directory.resolve("students"))
        .with(
            "student.layers=2",
            "student.hidden-size=0",
            "student.init=teacher",
            "student.init-layers=[3, 1]",
            "student.layer-map=[0, 1, 3]",
            "student.pruned-heads=0.5",
            "train.epochs=2");
  }

  private TrainJob.Result train(String... more) throws IOException {
    return new TrainJob(spark, student().settings(more)).run();
  }
}
