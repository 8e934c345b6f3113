package io.stillhouse.spark;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonPrimitive;
import io.stillhouse.jobs.inference.InferenceModel;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.Pairing;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.mutable.WrappedArray;

/**
 * The classes of a text and their probabilities.
 *
 * @param modelUrl the model's name in messages
 * @param topK number of classes in {@code top_k}
 */
record ClassOutput(String modelUrl, int topK) implements TextOutput {
  private static final ArrayType STRINGS = DataTypes.createArrayType(DataTypes.StringType, false);

  static final StructType TYPE =
      new StructType()
          .add("class_names", STRINGS, false)
          .add("probabilities", DataTypes.createArrayType(DataTypes.DoubleType, false), false)
          .add("top_k", STRINGS, false);

  /** Below this, DJL writes a probability with an exponent. */
  private static final double SMALL = 0.00001;

  @Override
  public List<Object> of(InferenceModel model, List<Pairing.Input> rows) {
    float[][] logitsBC = model.logits(rows);
    Finite.require(modelUrl, logitsBC);
    Head head = model.spec().head();
    return Arrays.stream(logitsBC).map(logits -> struct(head, logits)).toList();
  }

  /** Returns the struct of one row of logits. */
  private Object struct(Head head, float[] logits) {
    double[] probabilities =
        head.task() == Task.MULTI_LABEL ? Outputs.sigmoid(logits) : Outputs.softmax(logits);
    List<Integer> order = Outputs.order(probabilities);
    String[] names = new String[order.size()];
    double[] sorted = new double[order.size()];
    String[] top = new String[Math.min(topK, order.size())];
    for (int rank = 0; rank < names.length; rank++) {
      names[rank] = head.labels().get(order.get(rank));
      sorted[rank] = probabilities[order.get(rank)];
      if (rank < top.length) {
        top[rank] = item(names[rank], sorted[rank]);
      }
    }
    Object[] values = {WrappedArray.make(names), WrappedArray.make(sorted), WrappedArray.make(top)};
    return new GenericRowWithSchema(values, TYPE);
  }

  /**
   * Returns the text of DJL's {@code Classification}, but independent of the locale and with
   * escaped names.
   */
  static String item(String name, double probability) {
    String digits =
        probability < SMALL
            ? format("%.1e", probability)
            : format("%.5f", (int) (probability * 100_000) / 100_000.0);
    return format("{\"className\": %s, \"probability\": %s}", new JsonPrimitive(name), digits);
  }
}
