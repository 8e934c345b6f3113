package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.stillhouse.Golden;
import io.stillhouse.GoldenTargets;
import io.stillhouse.model.Batch;
import io.stillhouse.model.Capture;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import io.stillhouse.torch.Autograd;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * Base of tests that compare terms computed by {@link DistillLoss} from cells with values and
 * gradients that PyTorch computed in float64.
 */
abstract class TermGoldens {
  /** float32 rounding of sums over a few tokens, relative. */
  private static final double ROUNDING = 3e-6;

  private static final double GRADIENT = 1e-5;
  private static final int[] LENGTHS = {4, 3, 2};

  /** The temperature of the soft labels. */
  static final double TEMPERATURE = 2;

  /** The teacher layer of each student layer. */
  static final List<Integer> MAP = List.of(0, 1, 3);

  final NDManager manager = NDManager.newBaseManager();
  final Golden golden = new Golden("terms.safetensors", manager);
  private final JsonObject values =
      JsonParser.parseString(Golden.text("terms.json")).getAsJsonObject();

  @BeforeEach
  void open() {
    Autograd.record(Autograd.Mode.OFF);
  }

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  /**
   * Compares a mix, its terms and its gradients with what PyTorch computed, and the gradients with
   * finite differences.
   *
   * @param read the student's tensors; those of which there is no gradient must have none
   */
  void check(
      String mix, List<String> read, Function<Map<String, NDArray>, DistillLoss.Value> loss) {
    Map<String, NDArray> floats = new HashMap<>();
    Map<String, NDArray> doubles = new HashMap<>();
    for (String name : read) {
      floats.put(name, golden.read(name));
      floats.get(name).setRequiresGradient(true);
      doubles.put(name, golden.read(name).toType(DataType.FLOAT64, false));
    }

    Autograd.record(Autograd.Mode.ON);
    DistillLoss.Value value = loss.apply(floats);
    Autograd.backward(value.total());
    Autograd.record(Autograd.Mode.OFF);

    requireValue(LossCheck.value(value.total()), mix);
    value.terms().forEach((term, mean) -> requireValue(mean, mix + "." + term.id()));
    assertThat(values.keySet().stream().filter(name -> name.startsWith(mix + ".")))
        .hasSameSizeAs(value.terms().keySet());
    for (String name : read) {
      String expected = "grad." + mix + "." + name;
      NDArray gradient = Autograd.gradient(floats.get(name));
      assertThat(gradient != null).as(expected).isEqualTo(golden.names().contains(expected));
      if (gradient == null) {
        continue;
      }
      assertThat(Golden.relativeError(gradient, golden.read(expected), 0))
          .as(expected)
          .isLessThan(GRADIENT);
      LossCheck.requireGradient(
          manager,
          doubles.get(name).toDoubleArray(),
          moved -> {
            Map<String, NDArray> tensors = new HashMap<>(doubles);
            tensors.put(name, moved);
            return loss.apply(tensors).total();
          },
          doubles.get(name).getShape().getShape());
    }
  }

  private void requireValue(double actual, String name) {
    double expected = values.get(name).getAsDouble();
    assertThat(actual).as(name).isCloseTo(expected, within(ROUNDING * expected));
  }

  /** Returns rows with a teacher's hidden states and, unless null, its logits. */
  List<Example> states(String hidden, int layers, @Nullable String logits) {
    List<Example> rows = new ArrayList<>();
    long[] classes = longs("classes");
    for (int row = 0; row < LENGTHS.length; row++) {
      int length = LENGTHS[row];
      Map<String, byte[]> cells = new HashMap<>();
      for (int layer = 0; layer < layers; layer++) {
        NDArray real = golden.read(hidden + layer).get(row).get(":" + length);
        cells.put(Targets.hidden(layer).name(), GoldenTargets.bytes(real.toFloatArray()));
      }
      if (logits != null) {
        float[] own = golden.read(logits).get(row).toFloatArray();
        cells.put(Targets.LOGITS.name(), GoldenTargets.bytes(own));
      }
      Example.Inputs inputs =
          new Example.Inputs(new int[length], new int[length], null, classes[row]);
      rows.add(new Example("row " + row, inputs, Dtype.FLOAT32, cells));
    }
    return rows;
  }

  /** Returns the loss of a student of one teacher, without projections. */
  static DistillLoss loss(DistillSpec spec, Head head) {
    return new DistillLoss(spec, student(head), Map.of());
  }

  /** Returns a student of two blocks without weights, whose outputs the tests provide. */
  static Predictor student(Head head) {
    return new Said(
        new EncoderSpec(
            new EncoderSpec.Embeddings(12, 4, 2, 0),
            new EncoderSpec.Blocks(2, 4, 1, 4),
            new EncoderSpec.Numerics(1e-12, 0, 0, 0),
            head));
  }

  private record Said(ModelSpec spec) implements Predictor {
    @Override
    public EncoderOutput forward(Batch batch, Capture capture) {
      throw new AssertionError("its output is given");
    }

    @Override
    public NDArray maskedLmLogits(NDArray stateNV) {
      return stateNV;
    }
  }

  static DistillSpec spec(
      List<Integer> map, DistillSpec.SoftLabel soft, double hard, DistillSpec.Hidden hidden) {
    return new DistillSpec(map, soft, hard, hidden, 0, DistillSpec.Relations.NONE);
  }

  long[] longs(String name) {
    return golden.read(name).toType(DataType.INT64, false).toLongArray();
  }

  static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
