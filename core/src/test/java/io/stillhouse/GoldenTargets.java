package io.stillhouse;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Example;
import io.stillhouse.target.Targets;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The golden batch with what Hugging Face's model computed, as cells of a cache in memory. */
public final class GoldenTargets {
  /** Blocks of each golden model. */
  public static final int LAYERS = 3;

  private GoldenTargets() {}

  /**
   * Returns the rows with all hidden states, all attention scores, and task logits if there are
   * any.
   */
  public static List<Example> of(Golden golden) {
    List<Example> rows = new ArrayList<>();
    List<Example> bare = golden.examples();
    for (int row = 0; row < bare.size(); row++) {
      Example example = bare.get(row);
      Map<String, byte[]> cells = new HashMap<>();
      for (int layer = 0; layer <= LAYERS; layer++) {
        NDArray state = golden.read(format("hidden_%02d", layer)).get(row);
        cells.put(Targets.hidden(layer).name(), bytes(prefix(state, example.length())));
      }
      for (int block = 1; block <= LAYERS; block++) {
        NDArray scores = golden.read(format("attention_%02d", block)).get(row);
        cells.put(Targets.attention(block).name(), bytes(square(scores, example.length())));
      }
      if (golden.read("logits").getShape().dimension() == 2) {
        cells.put(Targets.LOGITS.name(), bytes(golden.read("logits").get(row).toFloatArray()));
      }
      rows.add(new Example(example.id(), example.inputs(), Dtype.FLOAT32, cells));
    }
    return rows;
  }

  /** Returns a cell's bytes. */
  public static byte[] bytes(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  private static float[] prefix(NDArray stateLD, int length) {
    return Arrays.copyOf(stateLD.toFloatArray(), length * (int) stateLD.getShape().get(1));
  }

  private static float[] square(NDArray scoresHLL, int length) {
    int heads = (int) scoresHLL.getShape().get(0);
    int longest = (int) scoresHLL.getShape().get(1);
    float[] padded = scoresHLL.toFloatArray();
    float[] result = new float[heads * length * length];
    for (int i = 0; i < result.length; i++) {
      int head = i / (length * length);
      int query = i / length % length;
      int key = i % length;
      result[i] = padded[(head * longest + query) * longest + key];
    }
    return result;
  }
}
