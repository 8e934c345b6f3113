package io.stillhouse.jobs.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.LabelCodec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files laid out as GLUE distributes them, read by a recipe that names nothing but the task. */
@Tag("spark")
class NamedTaskFilesTest {
  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();

  @Test
  void colaHasNoHeaderAndQuotesAreText() throws IOException {
    Settings settings =
        settings(
            "cola",
            """
            gj04\t1\t\tOur friends won't buy this analysis, let alone the next one we propose.
            gj04\t0\t*\tThey "drank the pub.
            l-93\t1\t\t"Wash it," she said.
            """);

    List<SourceRow> rows = rows(settings);

    assertThat(rows)
        .containsExactly(
            new SourceRow(
                "rows.tsv:0",
                "Our friends won't buy this analysis, let alone the next one we propose.",
                null,
                "1"),
            new SourceRow("rows.tsv:1", "They \"drank the pub.", null, "0"),
            new SourceRow("rows.tsv:2", "\"Wash it,\" she said.", null, "1"));
    assertThat(settings.get(Options.FINETUNE_TASK)).isEqualTo("classification");
    assertThat(labels(new Head(Task.CLASSIFICATION, List.of("0", "1")), rows))
        .containsExactly(1.0, 0.0, 1.0);
  }

  @Test
  void stsBHasPairsAndScores() throws IOException {
    Settings settings =
        settings(
            "sts-b",
            """
            index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore
            0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA plane is taking off.\tAn air plane is taking off.\t5.000
            1\tmain-news\theadlines\t2015\t1489\tnone\tnone\t"Stop, he said.\t'Go', "she" said.\t0.250
            """);

    List<SourceRow> rows = rows(settings);

    assertThat(rows)
        .containsExactly(
            new SourceRow(
                "rows.tsv:0", "A plane is taking off.", "An air plane is taking off.", "5.000"),
            new SourceRow("rows.tsv:1", "\"Stop, he said.", "'Go', \"she\" said.", "0.250"));
    assertThat(settings.get(Options.FINETUNE_TASK)).isEqualTo("regression");
    assertThat(labels(Head.REGRESSION, rows)).containsExactly(5.0, 0.25);
  }

  @Test
  void mnliUsesGoldLabel() throws IOException {
    Settings settings =
        settings(
            "mnli",
            """
            index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tlabel2\tgold_label
            0\t63735\t63735n\tslate\t( a b )\t( c )\t(ROOT a)\t(ROOT c)\tThe new rights are nice enough\tEveryone likes them\tentailment\tneutral\tneutral
            """);

    List<SourceRow> rows = rows(settings);

    assertThat(rows)
        .containsExactly(
            new SourceRow(
                "rows.tsv:0", "The new rights are nice enough", "Everyone likes them", "neutral"));
    Head head = new Head(Task.CLASSIFICATION, List.of("contradiction", "entailment", "neutral"));
    assertThat(labels(head, rows)).containsExactly(2.0);
  }

  private Settings settings(String task, String file) throws IOException {
    Path rows = Files.writeString(directory.resolve("rows.tsv"), file);
    return Recipe.prepare(Settings.parse(null, List.of("task=" + task, "corpus.path=" + rows)));
  }

  private List<SourceRow> rows(Settings settings) {
    return Corpus.read(spark, Recipe.corpus(settings)).rows().collect().stream()
        .sorted(Comparator.comparing(SourceRow::key))
        .toList();
  }

  private static List<Double> labels(Head head, List<SourceRow> rows) {
    LabelCodec codec = LabelCodec.of(head);
    return rows.stream().map(row -> codec.encode(row.label(), row.key())).toList();
  }
}
