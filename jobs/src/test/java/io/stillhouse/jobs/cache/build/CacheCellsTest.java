package io.stillhouse.jobs.cache.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import io.stillhouse.torch.Dropout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Compares the cells of a cache with the teacher's output for each row alone. */
class CacheCellsTest extends CacheFixture {
  private static final String[] BFLOAT16 = {"targets.hidden=[0,3]", "cache.precision=bfloat16"};

  private static NDManager manager;
  private static Encoder teacher;

  @BeforeAll
  static void opensTeacher() throws IOException {
    manager = NDManager.newBaseManager();
    Autograd.record(Autograd.Mode.OFF);
    HuggingFaceDirectory opened = HuggingFaceDirectory.open(Tiny.CLS);
    teacher = new Encoder(opened.spec(), opened.weights(manager));
  }

  @AfterAll
  static void closesTeacher() {
    manager.close();
  }

  @Test
  void addedLayerMatchesForwardPassOfSingleRows() throws IOException {
    Path copy = copyOfCache();
    run(settings(copy, "targets.hidden=[0,1,3]", "targets.attention=[2]"));

    List<Example> rows = CacheRows.rows(copy, List.of(Targets.hidden(1)));
    assertThat(rows).hasSize(ROWS);
    for (Example row : rows) {
      EncoderOutput alone = alone(row.inputs().inputIds(), row.inputs().typeIds());
      assertThat(difference(floats(row.cell(Targets.hidden(1))), alone.hidden(1).toFloatArray()))
          .isLessThan(1e-5);
    }
  }

  @Test
  void bfloat16CacheIsReproducible() throws IOException {
    Map<String, Row> one = byId(bfloat16Cache(), "hidden");
    Path again = directory.resolve("again");
    run(settings(again, BFLOAT16));

    byId(again, "hidden")
        .forEach(
            (id, row) ->
                assertThat(row.<byte[]>getAs("hidden_03"))
                    .isEqualTo(one.get(id).getAs("hidden_03")));
  }

  @Test
  void bfloat16CacheIsSoundAndCloseToFloat32() throws IOException {
    VerifyJob.Result result = Tiny.verify(bfloat16Cache());

    assertThat(result.isSound()).as("%s", result.lines()).isTrue();
    assertThat(result.fidelity().get("hidden_00").fromFloat32()).isLessThan(1e-5);
    assertThat(result.fidelity().get("hidden_03").fromFloat32()).isBetween(1e-4, 2e-2);
  }

  @Test
  void rejectsFloat32RecipeForBfloat16Cache() throws IOException {
    Path bfloat16 = bfloat16Cache();

    assertThatThrownBy(() -> run(settings(bfloat16, "targets.hidden=[0,3]")))
        .isInstanceOf(StillhouseException.class)
        .hasMessageContaining("cache.precision = bfloat16, but this recipe has float32");
  }

  /** Returns a cache in bfloat16 that is built once; skips the test where the CPU lacks it. */
  private static Path bfloat16Cache() throws IOException {
    assumeThat(Files.readString(Path.of("/proc/cpuinfo"))).contains("_bf16");
    Path built = shared.resolve("bfloat16");
    if (!Files.exists(built)) {
      run(settings(built, BFLOAT16));
    }
    return built;
  }

  @Test
  void hiddenCellsMatchForwardPassOfSingleRows() {
    Map<String, Row> inputs = byId(cache, "inputs");
    Map<String, Row> hidden = byId(cache, "hidden");
    assertThat(hidden.keySet()).isEqualTo(inputs.keySet()).hasSize(ROWS);
    hidden.forEach(
        (id, row) -> {
          int length = row.<Integer>getAs("length");
          EncoderOutput alone = alone(inputs.get(id));
          for (int layer : new int[] {0, 3}) {
            float[] cell = floats(row.getAs("hidden_0" + layer));
            assertThat(cell).as(id).hasSize(length * Tiny.WIDTH);
            assertThat(difference(cell, alone.hidden(layer).toFloatArray())).isLessThan(1e-5);
          }
        });
  }

  @Test
  void attentionCellsHaveNoPadding() {
    Map<String, Row> inputs = byId(cache, "inputs");
    Map<String, Row> attention = byId(cache, "attention");
    assertThat(attention).hasSize(ROWS);
    attention.forEach(
        (id, row) -> {
          int length = row.<Integer>getAs("length");
          float[] cell = floats(row.getAs("attention_02"));
          assertThat(cell).as(id).hasSize(Tiny.HEADS * length * length);
          assertThat(difference(cell, alone(inputs.get(id)).scores(2).toFloatArray()))
              .isLessThan(1e-5);
        });
  }

  @Test
  void logitsMatchTeacher() {
    Map<String, Row> inputs = byId(cache, "inputs");
    byId(cache, "logits")
        .forEach(
            (id, row) -> {
              float[] cell = floats(row.getAs("logits"));
              assertThat(cell).hasSize(3);
              assertThat(difference(cell, alone(inputs.get(id)).logits().toFloatArray()))
                  .isLessThan(1e-5);
            });
  }

  @Test
  void labelNamesAndNumbersBecomeClassIds() {
    byId(cache, "inputs")
        .forEach(
            (id, row) ->
                assertThat(row.<Double>getAs("label"))
                    .isEqualTo(row.<String>getAs("text").startsWith("he ") ? 2.0 : 0.0));
  }

  @Test
  void float16CellsAreRoundedFloats() throws IOException {
    Path half = directory.resolve("half");
    run(settings(half, "targets.hidden=[3]", "targets.dtype=float16"));
    Map<String, Row> whole = byId(cache, "hidden");
    Map<String, Row> rounded = byId(half, "hidden");
    assertThat(rounded.keySet()).isEqualTo(whole.keySet());
    rounded.forEach(
        (id, row) -> {
          float[] cell = halves(row.getAs("hidden_03"));
          float[] exact = floats(whole.get(id).getAs("hidden_03"));
          assertThat(cell).hasSize(row.<Integer>getAs("length") * Tiny.WIDTH);
          for (int i = 0; i < cell.length; i++) {
            // Half a unit in the last of 11 bits, plus the rounding of float32 sums.
            assertThat((double) Math.abs(cell[i] - exact[i]))
                .isLessThanOrEqualTo(Math.abs(exact[i]) / 2048 + 1e-5);
          }
        });
    assertThat(
            ParquetRows.metadata(
                new org.apache.hadoop.fs.Path(parquet(half, "hidden").get(0).toUri()),
                STORAGE.hadoop()))
        .containsEntry(Targets.META_DTYPE + ".hidden_03", "float16")
        .containsEntry(Targets.META_SHAPE, "[length, 32]");
  }

  private static Map<String, Row> byId(Path cache, String family) {
    return spark.read().parquet(cache.resolve(family).toString()).collectAsList().stream()
        .collect(Collectors.toMap(row -> row.<String>getAs("id"), row -> row));
  }

  private static EncoderOutput alone(Row inputs) {
    return alone(ints(inputs.getAs("input_ids")), ints(inputs.getAs("token_type_ids")));
  }

  private static EncoderOutput alone(int[] ids, int[] types) {
    return teacher.forward(
        Batch.of(manager, List.of(ids), List.of(types)),
        Capture.everything(Tiny.LAYERS),
        Dropout.NONE);
  }

  private static int[] ints(byte[] cell) {
    int[] numbers = new int[cell.length / 4];
    ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(numbers);
    return numbers;
  }

  private static float[] floats(byte[] cell) {
    assertThat(cell.length % 4).isZero();
    float[] numbers = new float[cell.length / 4];
    ByteBuffer.wrap(cell).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(numbers);
    return numbers;
  }

  /** Decodes IEEE half precision: sign, 5 bits of exponent, 10 of fraction. */
  private static float[] halves(byte[] cell) {
    assertThat(cell.length % 2).isZero();
    float[] numbers = new float[cell.length / 2];
    for (int i = 0; i < numbers.length; i++) {
      int bits = (cell[2 * i] & 0xff) | (cell[2 * i + 1] & 0xff) << 8;
      int exponent = bits >> 10 & 31;
      double size =
          exponent == 0
              ? (bits & 1023) * 0x1p-24
              : (1 + (bits & 1023) / 1024.0) * Math.pow(2, exponent - 15);
      numbers[i] = (float) (bits >> 15 == 0 ? size : -size);
    }
    return numbers;
  }

  /** Returns the norm of the difference over the norm of the reference. */
  private static double difference(float[] found, float[] reference) {
    assertThat(found).hasSameSizeAs(reference);
    double squares = 0;
    double norm = 0;
    for (int i = 0; i < found.length; i++) {
      squares += Math.pow((double) found[i] - reference[i], 2);
      norm += (double) reference[i] * reference[i];
    }
    return Math.sqrt(squares / norm);
  }
}
