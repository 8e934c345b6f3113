package io.stillhouse.notebook;

import io.stillhouse.codec.CellNumbers;
import io.stillhouse.target.Column;
import io.stillhouse.target.Targets;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Sums over the numbers of a row's cells, by column.
 *
 * @param columns names of the tensor columns
 */
record MagnitudeRows(List<String> columns) implements RowFunction {
  static final StructType SCHEMA =
      new StructType()
          .add("column", DataTypes.StringType, false)
          .add("numbers", DataTypes.LongType, false)
          .add("squares", DataTypes.DoubleType, false)
          .add("largest", DataTypes.DoubleType, false)
          .add("not_finite", DataTypes.LongType, false);

  /** Returns root mean squares and the like over all rows, by column. */
  static Dataset<Row> means(Dataset<Row> sums) {
    return sums.groupBy("column")
        .agg(
            functions.count("*").as("rows"),
            functions.sum("numbers").as("numbers"),
            functions.sqrt(functions.sum("squares").divide(functions.sum("numbers"))).as("rms"),
            functions.max("largest").as("largest"),
            functions.sum("not_finite").as("not_finite"))
        .orderBy("column");
  }

  @Override
  public List<Row> rows(ShardFiles.CachedRow row) {
    List<Row> rows = new ArrayList<>();
    for (String name : columns) {
      if (row.targets() != null) {
        Column column = Targets.named(name);
        rows.add(sums(name, CellNumbers.floats(row.targets(), column)));
      }
    }
    return rows;
  }

  private static Row sums(String name, float[] numbers) {
    double squares = 0;
    double largest = 0;
    long notFinite = 0;
    for (float number : numbers) {
      if (Float.isFinite(number)) {
        squares += (double) number * number;
        largest = Math.max(largest, Math.abs(number));
      } else {
        notFinite++;
      }
    }
    return RowFactory.create(name, (long) numbers.length, squares, largest, notFinite);
  }
}
