package io.stillhouse.notebook;

import io.stillhouse.jobs.spark.Models;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A row of a DataFrame for each query and key of each head.
 *
 * @param tokenizer directory of the tokenizer
 */
record AttentionRows(AttentionScores scores, String tokenizer) implements RowFunction {
  static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.StringType, false, "Key of the row.")
          .add("layer", DataTypes.IntegerType, false, "Number of the block, from 1.")
          .add("head", DataTypes.IntegerType, false, "Number of the head, from 1.")
          .add("query", DataTypes.IntegerType, false, "Position of the token that attends, from 0.")
          .add("query_token", DataTypes.StringType, false, "The token that attends.")
          .add("key", DataTypes.IntegerType, false, "Position of the token attended to, from 0.")
          .add("key_token", DataTypes.StringType, false, "The token attended to.")
          .add("weight", DataTypes.DoubleType, false, "Weight; those of a query sum to 1.");

  @Override
  public List<Row> rows(ShardFiles.CachedRow row) throws IOException {
    if (row.targets() == null) {
      return List.of();
    }
    String[] tokens = DecodedRow.words(Models.tokenizer(tokenizer), row.input().inputIds());
    List<Row> rows = new ArrayList<>();
    for (AttentionScores.HeadWeights head : scores.of(row.input(), row.targets())) {
      for (int n = 0; n < head.weightsLL().length; n++) {
        int query = n / tokens.length;
        int key = n % tokens.length;
        rows.add(
            RowFactory.create(
                row.input().id(),
                head.block(),
                head.head(),
                query,
                tokens[query],
                key,
                tokens[key],
                head.weightsLL()[n]));
      }
    }
    return rows;
  }
}
