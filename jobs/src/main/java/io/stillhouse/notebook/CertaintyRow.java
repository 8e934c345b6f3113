package io.stillhouse.notebook;

import io.stillhouse.codec.CellNumbers;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.inference.Outputs;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Targets;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What a teacher predicts for a row, and how certain it is.
 *
 * @param head head of the teacher: classification or multi-label
 */
record CertaintyRow(Head head) implements RowFunction {
  static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType, false, "Key of the row.")
          .add("text", DataTypes.StringType, true, "The text of the row.")
          .add("class_name", DataTypes.StringType, true, "Its label, or null.")
          .add("predicted", DataTypes.StringType, false, "What the teacher predicts.")
          .add("probability", DataTypes.DoubleType, false, "Probability of the prediction.")
          .add("entropy", DataTypes.DoubleType, false, "Entropy of the soft labels, in nats.")
          .add("correct", DataTypes.BooleanType, true, "Whether both are equal; null without.");

  @Override
  public List<Row> rows(ShardFiles.CachedRow row) {
    if (row.targets() == null) {
      return List.of();
    }
    InputRow input = row.input();
    float[] logits = CellNumbers.floats(row.targets(), Targets.LOGITS);
    boolean multiLabel = head.task() == Task.MULTI_LABEL;
    double[] probabilities = multiLabel ? Outputs.sigmoid(logits) : Outputs.softmax(logits);
    double predicted = 0;
    double probability = multiLabel ? 1 : 0;
    double entropy = 0;
    for (int c = 0; c < probabilities.length; c++) {
      double p = probabilities[c];
      entropy += term(p) + (multiLabel ? term(1 - p) : 0);
      if (multiLabel) {
        predicted = p > 0.5 ? io.stillhouse.spec.LabelSet.with(predicted, c) : predicted;
        probability *= Math.max(p, 1 - p); // of the predicted set, if labels are independent
      } else if (p > probability) {
        predicted = c;
        probability = p;
      }
    }
    String label = DecodedRow.className(head, input.label());
    String name = DecodedRow.className(head, predicted);
    return List.of(
        RowFactory.create(
            input.id(),
            input.text(),
            label,
            name,
            probability,
            entropy,
            label == null ? null : label.equals(name)));
  }

  private static double term(double p) {
    return p > 0 ? -p * Math.log(p) : 0;
  }
}
