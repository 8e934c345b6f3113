package io.stillhouse.jobs.augment;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.BrokenModels;
import io.stillhouse.jobs.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Recipes that are rejected before any row is read. */
@Tag("spark")
class AugmentChecksTest {
  @TempDir private Path directory;

  private final SparkSession spark = Tiny.spark();
  private Path rows;
  private Path out;

  @BeforeEach
  void writeRows() throws IOException {
    rows = Tiny.labelled(directory.resolve("rows.tsv"), 20, "1", "0");
    out = directory.resolve("out");
  }

  @Test
  void rejectsExistingDestination() throws IOException {
    Files.createDirectory(out);

    assertMistake(AugmentRecipes.rules(rows, out))
        .hasMessage(
            format("augment.to 'file:%s' already exists; delete it, or choose another", out));
  }

  @Test
  void rejectsModelWithoutMaskedLmHead() {
    assertMistake(AugmentRecipes.maskedLm(rows, out, "augment.model=" + Tiny.CLS))
        .hasMessageStartingWith(
            format("augment.model 'file:%s' must have a masked-LM head, but its head is", Tiny.CLS))
        .hasMessageEndingWith(
            "set augment.model to a masked LM, such as the one it was fine-tuned from, or set"
                + " augment.kind=rules");
  }

  @Test
  void rejectsTeacherWithoutMaskedLmHead() {
    assertMistake(AugmentRecipes.maskedLm(rows, out, "augment.model=", "teacher.path=" + Tiny.CLS))
        .hasMessageStartingWith(
            format("teacher.path 'file:%s' must have a masked-LM head", Tiny.CLS));
  }

  @Test
  void rejectsRecipeWithoutModelAndTeacher() {
    assertMistake(AugmentRecipes.maskedLm(rows, out, "augment.model="))
        .hasMessageContaining("augment.model is missing")
        .hasMessageEndingWith("name a masked LM, or set augment.kind=rules, which needs no model");
  }

  @Test
  void rejectsLengthBeyondPositionsOfModel() {
    assertMistake(AugmentRecipes.maskedLm(rows, out, "corpus.max-length=41"))
        .hasMessage(
            format(
                "corpus.max-length must be at most the positions of augment.model 'file:%s', 40,"
                    + " but is '41'; lower it",
                Tiny.MLM));
  }

  @Test
  void refusesToShowOriginalToModelWithOneSegment() throws IOException {
    Path one = BrokenModels.withOneSegment(Tiny.MLM, directory.resolve("one"));
    assertMistake(
            AugmentRecipes.maskedLm(
                rows, out, "augment.model=" + one, "augment.show-original=true"))
        .hasMessageStartingWith(
            format(
                "augment.show-original needs a second segment, but augment.model 'file:%s''s"
                    + " type_vocab_size is 1",
                one));
  }

  @Test
  void rejectsClassesWithSameName() {
    assertMistake(AugmentRecipes.rules(rows, out, "corpus.classes=[1, 1.0]"))
        .hasMessageStartingWith("two classes have the same name ([1, 1.0])");
  }

  @Test
  void rejectsLengthWithoutRoomForOriginal() {
    assertMistake(
            AugmentRecipes.maskedLm(rows, out, "corpus.max-length=4", "augment.show-original=true"))
        .hasMessage(
            "corpus.max-length must be 5 or more if augment.show-original is true, but is '4'");
  }

  @Test
  void rejectsMissingWordVectors() {
    Path none = directory.resolve("no");

    assertMistake(AugmentRecipes.maskedLm(rows, out, "augment.word-vectors=" + none))
        .hasMessageContaining("augment.word-vectors does not exist: '" + none);
  }

  @Test
  void rejectsProbabilitiesAboveOneInTotal() {
    assertMistake(
            AugmentRecipes.rules(
                rows, out, "augment.mask-probability=0.6", "augment.pos-probability=0.5"))
        .hasMessage(
            "augment.mask-probability (0.6) and augment.pos-probability (0.5) are mutually"
                + " exclusive, but add up to more than 1; lower one of them");
  }

  private AbstractThrowableAssert<?, ?> assertMistake(List<String> settings) {
    return assertThatThrownBy(() -> new AugmentJob(spark, Tiny.settings(settings)))
        .isInstanceOf(StillhouseException.class);
  }
}
