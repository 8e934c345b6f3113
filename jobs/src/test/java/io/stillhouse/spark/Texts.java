package io.stillhouse.spark;

import io.stillhouse.jobs.Tiny;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Tables of texts for the tests of the transformers. */
final class Texts {
  static final List<@Nullable String> SOME =
      List.of(
          "the film was an old one.",
          "in this",
          "he had it with him at the bing, and it was from the north of the land",
          "7");

  private Texts() {}

  /**
   * Returns a table of one partition, with the row number in column id and the text in column text.
   */
  static Dataset<Row> table(List<@Nullable String> texts) {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < texts.size(); id++) {
      rows.add(RowFactory.create(id, texts.get(id)));
    }
    StructType schema =
        new StructType().add("id", DataTypes.IntegerType).add("text", DataTypes.StringType);
    return Tiny.spark().createDataFrame(rows, schema).coalesce(1);
  }
}
