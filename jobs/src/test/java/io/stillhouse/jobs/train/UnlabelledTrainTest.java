package io.stillhouse.jobs.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.TinyRecipe;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A corpus of 24 rows with labels and 40 without. */
@Tag("spark")
class UnlabelledTrainTest {
  private static final int LABELLED = 24;
  private static final int UNLABELLED = 40;

  @TempDir Path directory;
  private Path labelled;
  private Path unlabelled;
  private SparkSession spark;

  @BeforeEach
  void writeCorpora() throws IOException {
    spark = Tiny.spark();
    labelled = Tiny.labelled(directory.resolve("rows.tsv"), LABELLED, "LABEL_2", "LABEL_0");
    unlabelled = directory.resolve("more.tsv");
    List<String> lines = Files.readAllLines(Tiny.lines(directory.resolve("lines"), UNLABELLED));
    Files.writeString(unlabelled, "text\n" + String.join("\n", lines) + "\n");
  }

  @Test
  void baselineTakesAsManyStepsWithLabelledRowsAlone() throws IOException {
    CacheRecord cache = new CacheJob(spark, recipe("cache").settings()).run();

    List<TrainedStudent> students =
        new TrainJob(spark, recipe("cache").settings()).run().students();

    assertThat(cache.rows()).isEqualTo(LABELLED + UNLABELLED);
    assertThat(students).extracting(TrainedStudent::steps).containsExactly(16L, 16L);
    assertThat(students.get(0).training().rowsLeftOut()).isNull();
    assertThat(students.get(0).losses().first()).containsKeys("soft-label", "hard-label");
    assertThat(students.get(1).training().rowsLeftOut()).isEqualTo(UNLABELLED);
    assertThat(students.get(1).losses().first()).containsOnlyKeys("hard-label");
  }

  @Test
  void studentOfLabelsAloneLeavesOutRowsWithoutLabels() throws IOException {
    new CacheJob(spark, recipe("cache").settings()).run();

    List<TrainedStudent> students =
        new TrainJob(
                spark,
                recipe("cache").settings("loss.soft-label.weight=0", "loss.hidden-mse.weight=0"))
            .run()
            .students();

    assertThat(students).hasSize(1);
    assertThat(students.get(0).training().rowsLeftOut()).isEqualTo(UNLABELLED);
  }

  @Test
  void cacheRejectsFilesThatHadNoLabelsAsLabelledOnes() throws IOException {
    new CacheJob(spark, recipe("cache").settings()).run();

    assertThatThrownBy(
            () ->
                new CacheJob(
                        spark,
                        recipe("cache")
                            .settings(
                                format("corpus.path=[%s, %s]", labelled, unlabelled),
                                "corpus.unlabelled=[]"))
                    .run())
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("more.tsv")
        .hasMessageContaining("was cached without labels; name it in corpus.unlabelled");
  }

  @Test
  void cacheGrowsByUnlabelledFiles() throws IOException {
    TinyRecipe first = recipe("cache").with("corpus.unlabelled=[]");
    new CacheJob(spark, first.settings()).run();

    CacheRecord grown = new CacheJob(spark, recipe("cache").settings()).run();

    assertThat(grown.rows()).isEqualTo(LABELLED + UNLABELLED);
  }

  @Test
  void missingLabelOfLabelledFileIsStillMistake() throws IOException {
    Files.writeString(labelled, "text\tlabel\nhe is\t\n");

    assertThatThrownBy(() -> new CacheJob(spark, recipe("cache").settings()).run())
        .hasMessageContaining("no label (1, such as row 'rows.tsv:0')");
  }

  @Test
  void rejectsUnlabelledFilesWithoutLabelColumn() {
    assertThatThrownBy(() -> new CacheJob(spark, recipe("cache").settings("corpus.label=")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("but corpus.label is not set, so no row has a label")
        .hasMessageContaining("set corpus.label, or name all files in corpus.path");
  }

  private TinyRecipe recipe(String cache) {
    return TinyRecipe.labelled(labelled)
        .cache(directory.resolve(cache))
        .shardTokens(256)
        .student(directory.resolve("students"))
        .with(
            "corpus.unlabelled=" + unlabelled,
            "targets.hidden=[0,3]",
            "train.epochs=2",
            "loss.hard-label.weight=1");
  }
}
