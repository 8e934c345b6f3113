package io.stillhouse.notebook;

import io.stillhouse.error.Errors;
import io.stillhouse.evaluate.AttentionMeasures;
import io.stillhouse.jobs.chart.Matrix;
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

  private static final List<String> TITLES =
      List.of(
          "Entropy of each head",
          "Entropy of each head, divided by that of uniform attention",
          "Mean distance that each head looks",
          "Attention of each head to the query itself",
          "Attention of each head to [CLS] and [SEP]");

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

  /** Returns the picture of a measure of the heads. */
  static String picture(Dataset<Row> means, String measure) {
    if (!MEASURES.contains(measure)) {
      throw Errors.badValue("measure", "one of " + MEASURES, measure);
    }
    List<Row> rows = means.collectAsList();
    if (rows.isEmpty()) {
      throw Errors.invalid("no row of the sample has targets", "read more rows");
    }
    int layers = rows.stream().mapToInt(row -> row.getInt(0)).max().orElseThrow();
    int heads = rows.stream().mapToInt(row -> row.getInt(1)).max().orElseThrow();
    double[][] values = new double[layers][heads];
    for (Row row : rows) {
      values[row.getInt(0) - 1][row.getInt(1) - 1] = row.getAs(measure);
    }
    String unit =
        switch (measure) {
          case "entropy" -> "nats";
          case "distance" -> "tokens";
          case "relative_entropy" -> "of the largest entropy";
          default -> "of the attention";
        };
    Matrix matrix =
        new Matrix(
            Pictures.text(
                TITLES.get(MEASURES.indexOf(measure)),
                "The mean over the queries of all rows, for each layer and head.",
                "head",
                "layer"),
            Pictures.numbers(1, layers),
            Pictures.numbers(1, heads),
            values,
            Matrix.Shades.upTo(values, 2, unit));
    return Pictures.plain(matrix.svg());
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
