package io.stillhouse.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.CorpusSpec;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NamedTaskTest {
  @ParameterizedTest
  @EnumSource
  void everyTaskSetsValidColumns(NamedTask task) {
    Settings settings = prepared("task=" + task.id(), "corpus.path=train.tsv");

    CorpusSpec corpus = Recipe.corpus(settings);
    assertThat(corpus.format()).isEqualTo(CorpusSpec.Format.TSV);
    assertThat(corpus.columns().text()).isNotNull();
    assertThat(corpus.columns().label()).isNotNull();
    assertThat(settings.get(Options.EVALUATE_METRICS)).isNotEmpty();
  }

  @Test
  void pairTaskHasTwoTextsAndLongerRows() {
    Settings settings = prepared("task=MRPC", "corpus.path=train.tsv");

    assertThat(Recipe.corpus(settings).columns())
        .isEqualTo(new CorpusSpec.Columns("#1 String", "#2 String", "Quality", null));
    assertThat(settings.get(Options.MAX_LENGTH)).isEqualTo(128);
    assertThat(settings.get(Options.EVALUATE_METRICS)).containsExactly("f1", "accuracy");
  }

  @Test
  void recipeOverridesTask() {
    Settings settings =
        prepared(
            "task=sts-b",
            "corpus.path=mine.csv",
            "corpus.format=csv",
            "corpus.label=similarity",
            "corpus.max-length=32");

    assertThat(Recipe.corpus(settings).format()).isEqualTo(CorpusSpec.Format.CSV);
    assertThat(Recipe.corpus(settings).columns().label()).isEqualTo("similarity");
    assertThat(settings.get(Options.MAX_LENGTH)).isEqualTo(32);
    assertThat(settings.get(Options.FINETUNE_TASK)).isEqualTo("regression");
  }

  @Test
  void explicitFileFormatOverridesTask() {
    for (String file : List.of("mine.csv", "a/mine.CSV.gz", "rows.parquet", "rows.jsonl")) {
      assertThat(Recipe.corpus(prepared("task=sst-2", "corpus.path=" + file)).format())
          .as(file)
          .isEqualTo(CorpusSpec.Format.AUTO);
    }
    assertThat(Recipe.corpus(prepared("task=mrpc", "corpus.path=msr_train.txt")).format())
        .isEqualTo(CorpusSpec.Format.TSV);
  }

  @Test
  void rejectsUnknownTask() {
    assertThatThrownBy(() -> prepared("task=wnli"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "task must be one of sst-2, cola, mrpc, rte, sts-b, qnli, qqp, mnli, or empty, but is"
                + " 'wnli'");
  }

  private static Settings prepared(String... arguments) {
    return Recipe.prepare(Settings.parse(null, List.of(arguments)));
  }
}
