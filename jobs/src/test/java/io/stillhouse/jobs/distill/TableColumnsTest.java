package io.stillhouse.jobs.distill;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class TableColumnsTest {
  @Test
  void findsWellKnownNamesInAnyCase() {
    assertThat(TableColumns.byName(List.of("id", "Review", "Sentiment"), "", "", ""))
        .contains(new TableColumns("Review", "", "Sentiment"));
  }

  @Test
  void prefersMoreLikelyName() {
    assertThat(TableColumns.byName(List.of("title", "text", "stars", "label"), "", "", ""))
        .contains(new TableColumns("text", "", "label"));
  }

  @Test
  void findsPairs() {
    assertThat(TableColumns.byName(List.of("premise", "hypothesis", "label"), "", "", ""))
        .contains(new TableColumns("premise", "hypothesis", "label"));
    assertThat(TableColumns.byName(List.of("question", "sentence", "label"), "", "", ""))
        .contains(new TableColumns("question", "sentence", "label"));
  }

  @Test
  void keepsUsersColumns() {
    assertThat(TableColumns.byName(List.of("text", "label", "kind"), "", "", "kind"))
        .contains(new TableColumns("text", "", "kind"));
    assertThat(TableColumns.byName(List.of("a", "text", "label"), "a", "", ""))
        .contains(new TableColumns("a", "", "label"));
  }

  @Test
  void findsNothingWithoutLabel() {
    assertThat(TableColumns.byName(List.of("text", "kind"), "", "", "")).isEmpty();
    assertThat(TableColumns.byName(List.of("a", "label"), "", "", "")).isEmpty();
  }

  @Test
  void severalPossibleLabelsAreNotObvious() {
    assertThat(TableColumns.byName(List.of("text", "topic", "rating"), "", "", "")).isEmpty();
    assertThat(TableColumns.byName(List.of("text", "topic", "category"), "", "", ""))
        .contains(new TableColumns("text", "", "category"));
  }

  @Test
  void columnHasOneRole() {
    assertThat(TableColumns.byName(List.of("topic", "stars"), "topic", "", ""))
        .contains(new TableColumns("topic", "", "stars"));
    List<String> pairs = List.of("sentence1", "sentence2", "context", "label");
    assertThat(TableColumns.byName(pairs, "sentence1", "context", ""))
        .contains(new TableColumns("sentence1", "context", "label"));
  }
}
