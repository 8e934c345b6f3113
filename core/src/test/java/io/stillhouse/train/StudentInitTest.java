package io.stillhouse.train;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.Golden;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StudentInitTest {
  private static final String QUERY = "attention.self.query.weight";

  private NDManager manager;
  private HuggingFaceDirectory source;

  @BeforeEach
  void open() throws IOException {
    Autograd.record(Autograd.Mode.OFF);
    manager = NDManager.newBaseManager();
    source = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("bert-tiny-cls-v1"));
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void copiesChosenBlocksAndAllOtherTensors() {
    Map<String, NDArray> original = source.weights(manager);

    Map<String, NDArray> student =
        StudentInit.from(manager, spec(2, 32, source.spec().head()), source, List.of(3, 1), 1);

    assertThat(student.keySet())
        .containsExactlyElementsOf(spec(2, 32, source.spec().head()).parameters().keySet());
    student.forEach(
        (name, weight) -> {
          String from =
              name.replace("layer.1.", "layer.x.")
                  .replace("layer.0.", "layer.2.")
                  .replace("layer.x.", "layer.0.");
          assertThat(weight.toFloatArray()).as(name).isEqualTo(original.get(from).toFloatArray());
        });
  }

  @Test
  void keepsEmbeddingOutputAndPoolerInDistilBert() {
    Map<String, NDArray> original = source.weights(manager);
    EncoderSpec spec = distilBert(source.spec().head());

    Map<String, NDArray> student = StudentInit.from(manager, spec, source, List.of(3, 1), 1);

    assertThat(student.keySet()).containsExactlyElementsOf(spec.parameters().keySet());
    Batch single = Batch.of(manager, List.of(new int[] {2, 7, 9, 3}), List.of(new int[4]));
    NDArray teachers = new Encoder(source.spec(), original).embeddings(single);
    NDArray ours = new Encoder(spec, student).embeddings(single);
    assertThat(Golden.relativeError(ours, teachers, 0)).isLessThan(1e-6);
    assertThat(student.get(EncoderSpec.blockPrefix(1) + QUERY).toFloatArray())
        .isEqualTo(original.get(EncoderSpec.blockPrefix(3) + QUERY).toFloatArray());
    assertThat(student.get("bert.pooler.dense.weight").toFloatArray())
        .isEqualTo(original.get("bert.pooler.dense.weight").toFloatArray());
  }

  @Test
  void initializesSegmentsToZeroIfSourceHasNone() throws IOException {
    source = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("distilbert-tiny-mlm-v1"));
    EncoderSpec spec =
        new EncoderSpec(
            new EncoderSpec.Embeddings(120, 40, 2, 0),
            source.spec().blocks(),
            source.spec().numerics(),
            Head.MASKED_LM);

    Map<String, NDArray> student = StudentInit.from(manager, spec, source, List.of(1, 2, 3), 1);

    Batch pair =
        Batch.of(manager, List.of(new int[] {2, 7, 3, 9, 3}), List.of(new int[] {0, 0, 0, 1, 1}));
    NDArray teachers =
        new Encoder(source.spec(), source.weights(manager))
            .forward(pair, Capture.NONE, Dropout.NONE)
            .last();
    NDArray ours = new Encoder(spec, student).forward(pair, Capture.NONE, Dropout.NONE).last();
    assertThat(Golden.relativeError(ours, teachers, 0)).isLessThan(1e-6);
  }

  @Test
  void initializesAlbertFromOneBlockAndTablesOfEqualWidth() {
    Map<String, NDArray> original = source.weights(manager);
    EncoderSpec wide = albert(32);
    Batch single = Batch.of(manager, List.of(new int[] {2, 7, 9, 3}), List.of(new int[4]));

    Map<String, NDArray> student = StudentInit.from(manager, wide, source, List.of(2), 1);

    assertThat(student.get(wide.prefixOf(3) + QUERY).toFloatArray())
        .isEqualTo(original.get(EncoderSpec.blockPrefix(2) + QUERY).toFloatArray());
    assertThat(
            Golden.relativeError(
                new Encoder(wide, student).embeddings(single),
                new Encoder(source.spec(), original).embeddings(single),
                0))
        .isLessThan(1e-6);

    EncoderSpec narrow = albert(8);
    student = StudentInit.from(manager, narrow, source, List.of(2), 1);
    for (String name : List.of(EncoderSpec.WORDS, EncoderSpec.MAPPING + ".weight")) {
      assertThat(student.get(name).toFloatArray())
          .isEqualTo(StudentInit.random(manager, narrow, 1).get(name).toFloatArray());
    }
  }

  @Test
  void copiesSharedBlockOfAlbertIntoEveryBlock() throws IOException {
    source = HuggingFaceDirectory.open(Golden.DIRECTORY.resolve("albert-tiny-cls-v1"));
    String shared = source.spec().prefixOf(1) + QUERY;
    float[] original = source.weights(manager).get(shared).toFloatArray();

    Map<String, NDArray> student =
        StudentInit.from(manager, spec(2, 32, source.spec().head()), source, List.of(1, 3), 1);

    for (int block = 1; block <= 2; block++) {
      assertThat(student.get(EncoderSpec.blockPrefix(block) + QUERY).toFloatArray())
          .isEqualTo(original);
    }
    assertThat(student.get(EncoderSpec.WORDS).getShape().getShape()).containsExactly(120, 32);
  }

  private EncoderSpec distilBert(Head head) {
    return new EncoderSpec(
        Architecture.DISTILBERT,
        32,
        new EncoderSpec.Embeddings(120, 40, 0, 0),
        new EncoderSpec.Blocks(2, 32, 4, 64),
        source.spec().numerics(),
        head);
  }

  private EncoderSpec albert(int embeddingSize) {
    return new EncoderSpec(
        Architecture.ALBERT,
        embeddingSize,
        source.spec().embeddings(),
        new EncoderSpec.Blocks(3, 32, 4, 64),
        source.spec().numerics(),
        source.spec().head());
  }

  @Test
  void copiesBlockTwiceIfItIsNamedTwice() {
    Map<String, NDArray> student =
        StudentInit.from(manager, spec(2, 32, source.spec().head()), source, List.of(2, 2), 1);
    NDArray first = student.get(EncoderSpec.blockPrefix(1) + QUERY);
    NDArray second = student.get(EncoderSpec.blockPrefix(2) + QUERY);
    assertThat(first.toFloatArray()).isEqualTo(second.toFloatArray());

    float[] before = second.toFloatArray();
    first.addi(1);

    assertThat(second.toFloatArray()).isEqualTo(before);
    assertThat(first.toFloatArray()).isNotEqualTo(before);
  }

  @Test
  void randomWeightsDependOnlyOnSeedAndName() {
    Map<String, NDArray> deep = StudentInit.random(manager, spec(3, 32, Head.MASKED_LM), 7);
    Map<String, NDArray> shallow = StudentInit.random(manager, spec(1, 32, Head.NONE), 7);

    shallow.forEach(
        (name, weight) ->
            assertThat(weight.toFloatArray()).as(name).isEqualTo(deep.get(name).toFloatArray()));
    assertThat(deep.get(EncoderSpec.blockPrefix(1) + QUERY).toFloatArray())
        .isNotEqualTo(deep.get(EncoderSpec.blockPrefix(2) + QUERY).toFloatArray());
  }

  @Test
  void seedsDiffer() {
    EncoderSpec spec = spec(1, 32, Head.NONE);

    assertThat(StudentInit.random(manager, spec, 7).get(EncoderSpec.WORDS).toFloatArray())
        .isNotEqualTo(StudentInit.random(manager, spec, 8).get(EncoderSpec.WORDS).toFloatArray());
  }

  @Test
  void randomWeightsHaveBertsDistribution() {
    StudentInit.random(manager, spec(2, 32, Head.MASKED_LM), 7)
        .forEach(
            (name, weight) -> {
              float[] values = weight.toFloatArray();
              if (name.endsWith("LayerNorm.weight")) {
                assertThat(values).as(name).containsOnly(1);
              } else if (name.endsWith("bias")) {
                assertThat(values).as(name).containsOnly(0);
              } else if (values.length > 1000) {
                double deviation = Golden.norm(weight) / Math.sqrt(values.length);
                // A sample of a thousand is off by 2% or so.
                assertThat(deviation).as(name).isCloseTo(0.02, within(0.002));
              }
            });
  }

  @Test
  void initializesHeadForOtherClassesRandomly() {
    Head fiveClasses = new Head(Task.CLASSIFICATION, List.of("a", "b", "c", "d", "e"));
    Map<String, NDArray> original = source.weights(manager);

    Map<String, NDArray> student =
        StudentInit.from(manager, spec(1, 32, fiveClasses), source, List.of(1), 1);

    assertThat(student.get("classifier.weight").getShape().getShape()).containsExactly(5, 32);
    assertThat(student.get("classifier.bias").toFloatArray()).hasSize(5).containsOnly(0);
    assertThat(student.get("bert.pooler.dense.weight").toFloatArray())
        .isEqualTo(original.get("bert.pooler.dense.weight").toFloatArray());
  }

  @Test
  void initializesMissingHeadRandomly() {
    EncoderSpec spec = spec(1, 32, Head.MASKED_LM);
    String head = "cls.predictions.transform.dense.weight";

    Map<String, NDArray> student = StudentInit.from(manager, spec, source, List.of(1), 5);

    assertThat(student.get(head).toFloatArray())
        .isEqualTo(StudentInit.random(manager, spec, 5).get(head).toFloatArray());
  }

  @Test
  void rejectsSourceOfDifferentWidth() {
    assertThatThrownBy(
            () -> StudentInit.from(manager, spec(1, 16, Head.NONE), source, List.of(1), 1))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            format(
                "'%s' has shape (120, 32) in %s, but [120, 16] in the student; give the student the"
                    + " same widths and vocabulary, or set student.init=random",
                EncoderSpec.WORDS, source.path()));
  }

  @Test
  void projectsEveryMappedStateIfWidthsDiffer() {
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 1, 3),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
            0,
            new DistillSpec.Hidden(
                0, DistillSpec.CosineLayers.LAST, 1, 0, 0, DistillSpec.Projection.PER_LAYER),
            0,
            DistillSpec.Relations.NONE);

    Map<String, NDArray> projections = StudentInit.projections(manager, loss, 16, 32, 1);

    assertThat(projections).containsOnlyKeys("projection.01.weight", "projection.02.weight");
    assertThat(projections.get("projection.01.weight").getShape().getShape())
        .containsExactly(32, 16);
    assertThat(StudentInit.projections(manager, loss, 32, 32, 1)).isEmpty();
  }

  @Test
  void sharesOneProjectionBetweenLayers() {
    DistillSpec loss =
        new DistillSpec(
            List.of(0, 1, 3),
            new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.ALL),
            0,
            new DistillSpec.Hidden(
                0, DistillSpec.CosineLayers.LAST, 1, 1, 0, DistillSpec.Projection.SHARED),
            0,
            DistillSpec.Relations.NONE);

    assertThat(StudentInit.projections(manager, loss, 16, 32, 1))
        .containsOnlyKeys("projection.embedding.weight", "projection.hidden.weight");
  }

  private EncoderSpec spec(int layers, int width, Head head) {
    return new EncoderSpec(
        source.spec().embeddings(),
        new EncoderSpec.Blocks(layers, width, 4, 2 * width),
        source.spec().numerics(),
        head);
  }
}
