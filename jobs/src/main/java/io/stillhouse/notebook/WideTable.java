package io.stillhouse.notebook;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Builds a DataFrame whose columns are known only from its rows. Values are numbers, booleans or
 * texts; a column of texts that all are numbers becomes one of numbers, which charts need.
 */
final class WideTable {
  private static final Pattern NUMBER = Pattern.compile("[-+]?\\d+(\\.\\d+)?([eE][-+]?\\d+)?");

  private final Set<String> columns = new LinkedHashSet<>();
  private final List<Map<String, Object>> rows = new ArrayList<>();

  /** Begins a row. */
  WideTable row() {
    rows.add(new LinkedHashMap<>());
    return this;
  }

  /** Sets a value of the row, unless it is null or not a number. */
  WideTable set(String column, @Nullable Object value) {
    String name = column.replaceAll("[^A-Za-z0-9_]", "_"); // as SQL reads it without quotes
    columns.add(name);
    if (value != null && !value.equals(Double.NaN)) {
      rows.get(rows.size() - 1).put(name, value);
    }
    return this;
  }

  /** Sets a value for each entry. */
  WideTable setAll(String prefix, Map<String, ?> values) {
    values.forEach((name, value) -> set(prefix + name, value));
    return this;
  }

  Dataset<Row> frame(SparkSession spark) {
    StructType schema = new StructType();
    for (String column : columns) {
      schema = schema.add(column, type(column), true);
    }
    List<Row> converted = new ArrayList<>();
    for (Map<String, Object> row : rows) {
      List<@Nullable Object> values = new ArrayList<>();
      for (String column : columns) {
        Object value = row.get(column);
        boolean isText = value instanceof String;
        boolean toNumber = isText && type(column).equals(DataTypes.DoubleType);
        values.add(toNumber ? Double.valueOf((String) value) : value);
      }
      converted.add(RowFactory.create(values.toArray()));
    }
    return spark.createDataFrame(converted, schema);
  }

  private DataType type(String column) {
    List<Object> values =
        rows.stream().map(row -> row.get(column)).filter(value -> value != null).toList();
    if (values.isEmpty() || values.get(0) instanceof Double) {
      return DataTypes.DoubleType;
    }
    if (values.get(0) instanceof Long) {
      return DataTypes.LongType;
    }
    if (values.get(0) instanceof Boolean) {
      return DataTypes.BooleanType;
    }
    boolean numbers = values.stream().allMatch(value -> isNumber((String) value));
    return numbers ? DataTypes.DoubleType : DataTypes.StringType;
  }

  private static boolean isNumber(String text) {
    return NUMBER.matcher(text).matches();
  }
}
