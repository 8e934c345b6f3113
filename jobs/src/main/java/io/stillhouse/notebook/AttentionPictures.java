package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.chart.AttentionGrid;
import io.stillhouse.jobs.chart.ChartText;
import io.stillhouse.jobs.chart.Matrix;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Row;

/** Draws attention maps from rows of {@link Cache#attention}. */
final class AttentionPictures {
  private static final int MAX_TOKENS = 64;

  private AttentionPictures() {}

  /** Returns the map of one head, whose rows these are. */
  static String map(List<Row> rows, String id, int layer, int head) {
    String[] tokens = tokens(rows, id);
    double[][] weights = new double[tokens.length][tokens.length];
    for (Row row : rows) {
      weights[row.<Integer>getAs("query")][row.<Integer>getAs("key")] = row.getAs("weight");
    }
    Matrix matrix =
        new Matrix(
            text(
                format("Attention of layer %d, head %d", layer, head),
                "Each line is a token that attends. Its cells are the weights of the tokens that it"
                    + " attends to, and sum to 1."),
            List.of(tokens),
            List.of(tokens),
            weights,
            Matrix.Shades.upTo(weights, 2, "of the attention of a token"));
    return Pictures.plain(matrix.svg());
  }

  /** Returns the maps of all heads, whose rows these are. */
  static String grid(List<Row> rows, String id) {
    int length = tokens(rows, id).length;
    Map<Integer, Map<Integer, double[]>> weights = new TreeMap<>();
    for (Row row : rows) {
      double[] map =
          weights
              .computeIfAbsent(row.getAs("layer"), any -> new TreeMap<>())
              .computeIfAbsent(row.getAs("head"), any -> new double[length * length]);
      map[row.<Integer>getAs("query") * length + row.<Integer>getAs("key")] = row.getAs("weight");
    }
    ChartText text =
        text(
            format("Attention of all heads in '%s'", id),
            "One map for each head: a line is a token that attends, a column one attended to.");
    return Pictures.plain(new AttentionGrid(text, length, weights).svg());
  }

  private static ChartText text(String title, String description) {
    return Pictures.text(title, description, "attended to", "attends");
  }

  private static String[] tokens(List<Row> rows, String id) {
    if (rows.isEmpty()) {
      throw Errors.invalid(
          format("the cache has no row '%s' with targets", id),
          "name an id of Cache.rows() whose status is null");
    }
    int length = rows.stream().mapToInt(row -> row.<Integer>getAs("key")).max().orElseThrow() + 1;
    if (length > MAX_TOKENS) {
      throw Errors.invalid(
          format("row '%s' has %d tokens, but a picture shows at most %d", id, length, MAX_TOKENS),
          "choose a shorter row, or read the numbers with Cache.attention(id)");
    }
    String[] tokens = new String[length];
    rows.forEach(row -> tokens[row.<Integer>getAs("key")] = row.getAs("key_token"));
    return tokens;
  }
}
