package io.stillhouse.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RecipeTest {
  private static final EncoderSpec TEACHER =
      new EncoderSpec(
          new EncoderSpec.Embeddings(30522, 512, 2, 0),
          new EncoderSpec.Blocks(12, 768, 12, 3072),
          new EncoderSpec.Numerics(1e-12, 0.2, 0.2, 0.2),
          Head.MASKED_LM);

  private static final DistillSpec LOSS =
      LossRecipe.loss(settings("loss.soft-label.weight=1"), TEACHER, TEACHER);

  @Test
  void shapeDefaultsToShapeOfTeacher() {
    EncoderSpec student = Recipe.encoder(settings("student.layers=4"), TEACHER);

    assertThat(student.blocks()).isEqualTo(new EncoderSpec.Blocks(4, 768, 12, 3072));
    assertThat(student.embeddings()).isEqualTo(TEACHER.embeddings());
    assertThat(student.head()).isEqualTo(TEACHER.head());
    assertThat(student.numerics()).isEqualTo(new EncoderSpec.Numerics(1e-12, 0.1, 0.1, 0.1));
  }

  @Test
  void feedForwardWidthDefaultsToFourTimesWidth() {
    EncoderSpec student =
        Recipe.encoder(settings("student.layers=4", "student.hidden-size=312"), TEACHER);

    assertThat(student.blocks()).isEqualTo(new EncoderSpec.Blocks(4, 312, 12, 1248));
  }

  @Test
  void rejectsWidthNotDivisibleByHeads() {
    Settings settings = settings("student.layers=4", "student.hidden-size=310");

    assertThatThrownBy(() -> Recipe.encoder(settings, TEACHER))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.hidden-size (310) must be a multiple of student.heads (12); change one of"
                + " them");
  }

  @Test
  void distilBertHasNoSegmentsAndItsOwnEpsilon() {
    EncoderSpec coarse =
        new EncoderSpec(
            TEACHER.embeddings(),
            TEACHER.blocks(),
            new EncoderSpec.Numerics(1e-5, 0.2, 0.2, 0.2),
            TEACHER.head());

    EncoderSpec student =
        Recipe.encoder(settings("student.layers=6", "student.architecture=distilbert"), coarse);

    assertThat(student.architecture()).isEqualTo(Architecture.DISTILBERT);
    assertThat(student.embeddings()).isEqualTo(new EncoderSpec.Embeddings(30522, 512, 0, 0));
    assertThat(student.numerics().layerNormEps()).isEqualTo(1e-12);
    assertThat(Recipe.encoder(settings("student.layers=3"), student).embeddings())
        .as("a BERT of a teacher without segments has two")
        .isEqualTo(TEACHER.embeddings());
  }

  @Test
  void albertTableWidthDefaultsToWidthOfStudent() {
    assertThat(albert("student.embedding-size=128").embeddingSize()).isEqualTo(128);
    assertThat(albert().embeddingSize()).isEqualTo(768);
    EncoderSpec narrow = albert("student.embedding-size=128");
    Settings another = settings("student.layers=2", "student.architecture=albert");
    assertThat(Recipe.encoder(another, narrow).embeddingSize()).isEqualTo(128);
  }

  @Test
  void rejectsDifferentTableWidthExceptForAlbert() {
    Settings settings = settings("student.layers=4", "student.embedding-size=128");

    assertThatThrownBy(() -> Recipe.encoder(settings, TEACHER))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.embedding-size is 128, but architecture bert has embedding tables of the"
                + " hidden states' width, 768; set student.architecture=albert, or remove the"
                + " key");
  }

  @Test
  void albertCanHaveSingleInitBlock() {
    Settings settings = settings("student.layers=4", "student.init-layers=[7]");

    assertThat(Recipe.initLayers(settings, albert(), TEACHER)).containsExactly(7);
    assertThatThrownBy(
            () -> Recipe.initLayers(settings, Recipe.encoder(settings, TEACHER), TEACHER))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("[7] must name one block from 1 to 12");
  }

  private static EncoderSpec albert(String... more) {
    List<String> all = new ArrayList<>(List.of(more));
    all.addAll(List.of("student.layers=4", "student.architecture=albert"));
    return Recipe.encoder(settings(all.toArray(String[]::new)), TEACHER);
  }

  @Test
  void choosesBestWeightsByFirstMetric() {
    Settings settings =
        settings(
            "train.keep=best",
            "evaluate.metrics=[f1, accuracy]",
            "train.early-stopping-patience=3");

    assertThat(Recipe.selection(settings, Task.CLASSIFICATION, LOSS, Recipe.ValidationRows.MEASURE))
        .isEqualTo(new TrainSpec.Selection(TrainSpec.Keep.BEST, "f1", 0, 3));
    assertThat(
            Recipe.selection(settings(), Task.CLASSIFICATION, LOSS, Recipe.ValidationRows.CHOOSE)
                .by())
        .isEqualTo("accuracy");
    assertThat(
            Recipe.selection(settings(), Task.CLASSIFICATION, LOSS, Recipe.ValidationRows.MEASURE))
        .isEqualTo(TrainSpec.Selection.LAST);
    assertThat(
            Recipe.selection(
                    settings("train.keep=best"),
                    Task.MASKED_LM,
                    LOSS,
                    Recipe.ValidationRows.MEASURE)
                .by())
        .isEqualTo("loss");
  }

  @Test
  void choosesWeightsByLossIfNoHeadIsTrained() {
    DistillSpec intermediate =
        LossRecipe.loss(
            settings("loss.soft-label.weight=0", "loss.hidden-mse.weight=1"), TEACHER, TEACHER);

    assertThat(
            Recipe.selection(
                    settings("train.keep=best"),
                    Task.CLASSIFICATION,
                    intermediate,
                    Recipe.ValidationRows.MEASURE)
                .by())
        .isEqualTo("loss");
    // A task's metrics that a masked LM does not have.
    assertThat(
            Recipe.selection(
                    settings("train.keep=best", "evaluate.metrics=[accuracy]"),
                    Task.MASKED_LM,
                    LOSS,
                    Recipe.ValidationRows.MEASURE)
                .by())
        .isEqualTo("loss");
  }

  @Test
  void rejectsEvaluationKeysIfLastWeightsAreKept() {
    Settings settings = settings("train.early-stopping-patience=3", "train.eval-every=50");

    assertThatThrownBy(
            () ->
                Recipe.selection(
                    settings, Task.CLASSIFICATION, LOSS, Recipe.ValidationRows.MEASURE))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("train.early-stopping-patience is 3, but the last weights are kept")
        .hasMessageContaining("train.eval-every is 50, but the last weights are kept");
  }

  @Test
  void rejectsWordVectorsForEncoder() {
    assertThatThrownBy(
            () ->
                Recipe.encoder(
                    settings("student.layers=2", "student.word-vectors=random"), TEACHER))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("set student.architecture=bilstm");
  }

  @Test
  void rejectsBestWeightsWithoutValidationOrInRounds() {
    Settings settings = settings("train.keep=best", "train.workers=2");

    assertThatThrownBy(
            () -> Recipe.selection(settings, Task.CLASSIFICATION, LOSS, Recipe.ValidationRows.NONE))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining(
            "train.keep is best, but there are no validation rows to choose weights by")
        .hasMessageContaining("training in rounds keeps the last weights; set train.keep=last");
  }

  @Test
  void rejectsMetricOfDifferentTask() {
    assertThatThrownBy(
            () -> Recipe.metrics(settings("evaluate.metrics=[pearson]"), Task.CLASSIFICATION))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "evaluate.metrics names [pearson], but a classification task has [accuracy, f1,"
                + " matthews]; choose from these");
  }

  @Test
  void initialBlocksDefaultToLayerMap() {
    assertThat(initLayers("student.layers=4")).containsExactly(3, 6, 9, 12);
    assertThat(initLayers("student.layers=2", "student.init-layers=[12, 1]"))
        .containsExactly(12, 1);
  }

  @Test
  void rejectsInitialBlocksThatTeacherLacks() {
    assertThatThrownBy(() -> initLayers("student.layers=2", "student.init-layers=[1, 13]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.init-layers [1, 13] must name one block from 1 to 12 for each of the student's"
                + " 2; list 2 numbers");
    assertThatThrownBy(() -> initLayers("student.layers=2", "student.init-layers=[0, 12]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("[0, 12] must name one block from 1 to 12");
  }

  @Test
  void rejectsWrongNumberOfInitialBlocks() {
    assertThatThrownBy(() -> initLayers("student.layers=4", "student.init-layers=[1, 2, 3]"))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "student.init-layers [1, 2, 3] must name one block from 1 to 12 for each of the"
                + " student's 4; list 4 numbers");
  }

  @Test
  void smokeReducesOnlyLargerValues() {
    Settings small =
        Recipe.shrink(
            settings(
                "smoke=true",
                "train.epochs=3",
                "train.batch-size=8",
                "train.max-steps=2",
                "sweep.over.train.seed=[7, 8, 9]",
                "sweep.over.student.layers=[2, 4]",
                "corpus.max-length=512"));

    assertThat(small.get(Options.CORPUS_LIMIT)).isEqualTo(64);
    assertThat(small.get(Options.SHARD_TOKENS)).isEqualTo(1024);
    assertThat(small.get(Options.MAX_LENGTH)).isEqualTo(64);
    assertThat(small.get(Options.EPOCHS)).isEqualTo(1);
    assertThat(small.get(Options.BATCH_SIZE)).isEqualTo(8);
    assertThat(small.get(Options.MAX_STEPS)).isEqualTo(2);
    assertThat(Sweep.students(small))
        .extracting(Sweep.Student::name)
        .containsExactly("layers-2_seed-7", "layers-4_seed-7");
  }

  @Test
  void smokeLeavesEachWorkerFourSteps() {
    Settings small = Recipe.shrink(settings("smoke=true", "train.workers=4"));
    TrainSpec train = Recipe.train(small, 1);

    assertThat(train.steps(small.get(Options.CORPUS_LIMIT))).isEqualTo(16);
    assertThat(train.stepsOfWorker(16)).isEqualTo(4);
  }

  @Test
  void keepsSettingsWithoutSmokeMode() {
    Settings settings = settings("train.epochs=3");

    assertThat(Recipe.shrink(settings)).isSameAs(settings);
  }

  @Test
  void zeroThreadsMeanAllCoresOfTask() {
    TrainSpec silent = Recipe.train(settings(), 6);
    TrainSpec set = Recipe.train(settings("train.threads=2", "train.seed=7"), 6);

    assertThat(silent.run()).isEqualTo(new TrainSpec.Run(0, 42, 6, 500, Precision.FLOAT32));
    assertThat(set.run()).isEqualTo(new TrainSpec.Run(0, 7, 2, 500, Precision.FLOAT32));
  }

  @Test
  void readsTrainingPrecision() {
    TrainSpec train = Recipe.train(settings("train.precision=bfloat16"), 1).withThreads(2);

    assertThat(train.run().precision()).isEqualTo(Precision.BFLOAT16);
  }

  @Test
  void emptyColumnNamesMeanNoColumn() {
    CorpusSpec corpus =
        Recipe.corpus(settings("corpus.path=a.tsv", "corpus.text=sentence", "corpus.header=false"));

    assertThat(corpus.columns()).isEqualTo(new CorpusSpec.Columns("sentence", null, null, null));
    assertThat(corpus.header()).isEqualTo(CorpusSpec.HeaderRow.ABSENT);
  }

  @Test
  void rejectsCorpusWithoutPath() {
    assertThatThrownBy(() -> Recipe.corpus(settings("corpus.path=[]")))
        .isInstanceOf(StillhouseException.class)
        .hasMessage("corpus.path is empty; set it to a file or directory");
  }

  private static Settings settings(String... arguments) {
    return Settings.parse(null, List.of(arguments));
  }

  private static List<Integer> initLayers(String... arguments) {
    Settings settings = settings(arguments);
    return Recipe.initLayers(settings, Recipe.encoder(settings, TEACHER), TEACHER);
  }
}
