package io.stillhouse.notebook;

import io.stillhouse.evaluate.AttentionMeasures;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * The measures of every head, summed over the queries of a row.
 *
 * @param tokenizer directory of the tokenizer
 */
record HeadRows(AttentionScores scores, String tokenizer) implements RowFunction {
  private static final List<String> MEASURES =
      List.of("entropy", "relative_entropy", "distance", "self", "special");

  /** Returns the schema of the sums of a row. */
  static StructType schema() {
    StructType schema =
        new StructType()
            .add("layer", DataTypes.IntegerType, false)
            .add("head", DataTypes.IntegerType, false)
            .add("queries", DataTypes.LongType, false);
    for (String measure : MEASURES) {
      schema = schema.add(measure, DataTypes.DoubleType, false);
    }
    return schema;
  }

  /** Returns the means over the queries of all rows, by layer and head. */
  static Dataset<Row> means(Dataset<Row> sums) {
    Column queries = functions.sum("queries");
    Column[] means =
        MEASURES.stream()
            .map(measure -> functions.sum(measure).divide(queries).as(measure))
            .toArray(Column[]::new);
    return sums.groupBy("layer", "head").agg(queries.as("queries"), means).orderBy("layer", "head");
  }

  @Override
  public List<Row> rows(ShardFiles.CachedRow row) throws IOException {
    if (row.targets() == null) {
      return List.of();
    }
    int[] ids = row.input().inputIds();
    Tokenizer tokens = Models.tokenizer(tokenizer);
    boolean[] special = new boolean[ids.length];
    for (int n = 0; n < ids.length; n++) {
      special[n] = ids[n] == tokens.clsId() || ids[n] == tokens.sepId();
    }
    List<Row> rows = new ArrayList<>();
    for (AttentionScores.HeadWeights head : scores.of(row.input(), row.targets())) {
      AttentionMeasures sums = AttentionMeasures.of(head.weightsLL(), special);
      rows.add(
          RowFactory.create(
              head.block(),
              head.head(),
              sums.queries(),
              sums.entropy(),
              sums.relativeEntropy(),
              sums.distance(),
              sums.self(),
              sums.special()));
    }
    return rows;
  }
}
