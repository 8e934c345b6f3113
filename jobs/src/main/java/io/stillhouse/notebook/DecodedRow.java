package io.stillhouse.notebook;

import io.stillhouse.codec.CellNumbers;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.Example;
import io.stillhouse.target.Family;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * A row of a cache with its tokens as words and its cells as arrays.
 *
 * @param tokenizer directory of the tokenizer
 * @param head head of the teacher, which names the classes
 * @param columns names of the tensor columns
 */
record DecodedRow(String tokenizer, Head head, List<String> columns) implements RowFunction {
  private static final StructType INPUTS =
      new StructType()
          .add("id", DataTypes.StringType, false, "Key of the row.")
          .add("shard", DataTypes.IntegerType, false, "Number of the shard.")
          .add("length", DataTypes.IntegerType, false, "Number of tokens.")
          .add("text", DataTypes.StringType, true, "The text of the row, or of its piece.")
          .add("pair", DataTypes.StringType, true, "The second text, or null.")
          .add("tokens", array(DataTypes.StringType), false, "Tokens as words, [L].")
          .add("input_ids", array(DataTypes.IntegerType), false, "Token ids, [L].")
          .add("token_type_ids", array(DataTypes.IntegerType), false, "0 or 1, [L].")
          .add(
              "mlm_labels",
              array(DataTypes.IntegerType),
              true,
              "Original ids at masked positions and -100 elsewhere, [L]; null if not masked.")
          .add("label", DataTypes.DoubleType, true, "Class id, score or label set; or null.")
          .add(
              "class_name",
              DataTypes.StringType,
              true,
              "Name of the class, or names of the labels; null without classes or label.")
          .add("status", DataTypes.StringType, true, "Null, or why the row has no tokens.");

  /** Returns the schema of rows with tensor columns, whose docs are the comments of the fields. */
  static StructType schema(List<Column> columns) {
    StructType schema = INPUTS;
    for (Column column : columns) {
      schema = schema.add(column.name(), type(column), true, column.doc());
    }
    return schema;
  }

  private static ArrayType array(DataType of) {
    return DataTypes.createArrayType(of, false);
  }

  private static DataType type(Column column) {
    DataType number = column.type().floating() ? DataTypes.FloatType : DataTypes.IntegerType;
    DataType type = array(number);
    for (int outer = 1; outer < dimensions(column); outer++) {
      type = array(type);
    }
    return type;
  }

  /** Draws of masked-LM soft labels are ragged, so they are not divided into tokens. */
  private static int dimensions(Column column) {
    return switch (column.family()) {
      case HIDDEN -> 2;
      case ATTENTION -> 3;
      case LOGITS -> isOfTokens(column) ? 2 : 1;
      case INPUTS -> throw new IllegalStateException(column.name() + " holds no target");
    };
  }

  private static boolean isOfTokens(Column column) {
    return !column.equals(Targets.LOGITS)
        && column.type() != Column.Type.FLOAT32
        && MlmTargets.of(column.name()).kind() != MlmTargets.Kind.SAMPLED;
  }

  @Override
  public List<Row> rows(ShardFiles.CachedRow row) throws IOException {
    InputRow input = row.input();
    List<@Nullable Object> values = new ArrayList<>();
    values.add(input.id());
    values.add(row.shard());
    values.add(input.length());
    values.add(input.text());
    values.add(input.pair());
    values.add(words(Models.tokenizer(tokenizer), input.inputIds()));
    values.add(input.inputIds());
    values.add(input.typeIds());
    values.add(input.mlmLabels());
    values.add(input.label());
    values.add(className(head, input.label()));
    values.add(input.status());
    for (String name : columns) {
      Example targets = row.targets();
      values.add(
          targets == null || targets.cells().get(name) == null
              ? null
              : array(targets, Targets.named(name)));
    }
    return List.of(RowFactory.create(values.toArray()));
  }

  /** Returns tokens as they are written in the vocabulary. */
  static String[] words(Tokenizer tokenizer, int[] ids) {
    return Arrays.stream(ids).mapToObj(tokenizer::token).toArray(String[]::new);
  }

  /** Returns the name of a label's class, or the names of its labels; null if it has none. */
  static @Nullable String className(Head head, @Nullable Double label) {
    if (label == null || head.labels().isEmpty()) {
      return null;
    }
    if (head.task() == Task.MULTI_LABEL) {
      double[] isTrue = LabelSet.numbers(label, head.labels().size());
      List<String> names = new ArrayList<>();
      for (int id = 0; id < isTrue.length; id++) {
        if (isTrue[id] == 1) {
          names.add(head.labels().get(id));
        }
      }
      return String.join(", ", names);
    }
    return head.labels().get(label.intValue());
  }

  private static Object array(Example row, Column column) {
    if (!column.type().floating()) {
      int[] integers = CellNumbers.integers(row, column);
      return dimensions(column) == 1 ? integers : lines(integers, CellNumbers.lines(row, column));
    }
    float[] floats = CellNumbers.floats(row, column);
    if (dimensions(column) == 1) {
      return floats;
    }
    float[][] lines = lines(floats, CellNumbers.lines(row, column));
    if (column.family() != Family.ATTENTION) {
      return lines;
    }
    int length = row.length();
    float[][][] heads = new float[lines.length / length][][];
    for (int head = 0; head < heads.length; head++) {
      heads[head] = Arrays.copyOfRange(lines, head * length, (head + 1) * length);
    }
    return heads;
  }

  private static float[][] lines(float[] numbers, int lines) {
    float[][] divided = new float[lines][];
    for (int line = 0; line < lines; line++) {
      int width = numbers.length / lines;
      divided[line] = Arrays.copyOfRange(numbers, line * width, (line + 1) * width);
    }
    return divided;
  }

  private static int[][] lines(int[] numbers, int lines) {
    int[][] divided = new int[lines][];
    for (int line = 0; line < lines; line++) {
      int width = numbers.length / lines;
      divided[line] = Arrays.copyOfRange(numbers, line * width, (line + 1) * width);
    }
    return divided;
  }
}
