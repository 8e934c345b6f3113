package io.stillhouse.jobs.evaluate;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What {@code evaluation.json} holds.
 *
 * @param models in the order they were named, the teacher first
 * @param groups students that differ in their seed alone, where there are any
 * @param comparisons of each distilled student with its baseline, or of all with that of
 *     evaluate.reference, paired by row
 * @param data what was read
 * @param speed of every shape of model, the teacher first; empty where none was measured
 */
public record Evaluation(
    List<Model> models,
    List<Group> groups,
    List<Comparison> comparisons,
    Data data,
    List<Speed> speed) {

  /**
   * One model.
   *
   * @param metrics {@code agreement} with the teacher, the task's metrics where there are labels
   * @param standardErrors of the task's metrics, by rows
   * @param retention of the first of the task's metrics; null for the teacher and without labels
   */
  public record Model(
      String name,
      String path,
      long parameters,
      Map<String, Double> metrics,
      Map<String, Double> standardErrors,
      @Nullable Retention retention) {}

  /** A student's metric divided by the teacher's, and its standard error by rows. */
  public record Retention(String metric, double share, double standardError) {}

  /**
   * Students that differ in their seed alone.
   *
   * @param metrics means over the seeds
   * @param standardErrors of these means, by seeds
   */
  public record Group(
      String name, int seeds, Map<String, Double> metrics, Map<String, Double> standardErrors) {}

  /**
   * Two models, or groups of models, on the same rows.
   *
   * @param metric which is compared
   * @param difference of {@code model} over {@code than}; of groups the mean over their seeds
   * @param standardError of it, paired by row: what other rows would change
   * @param seeds what other seeds would change; null of two models
   */
  public record Comparison(
      String model,
      String than,
      String metric,
      double difference,
      double standardError,
      int rows,
      @Nullable Seeds seeds) {}

  /** Pairs of models of the same seed, and the standard error of their mean difference by seed. */
  public record Seeds(int count, double standardError) {}

  /** Rows evaluated, masked tokens among them, and rows left out because they have no tokens. */
  public record Data(List<String> paths, long rows, long maskedTokens, long leftOut) {}

  Evaluation withSpeed(List<Speed> measured) {
    return new Evaluation(models, groups, comparisons, data, measured);
  }

  /** Returns the models as a table for people, with groups, comparisons and speeds below. */
  public String table() {
    Set<String> metrics = new LinkedHashSet<>(models.get(0).metrics().keySet());
    boolean judged = models.stream().anyMatch(model -> model.retention() != null);
    List<String> heads = new ArrayList<>(List.of("model", "parameters"));
    heads.addAll(metrics);
    if (judged) {
      heads.add("retention");
    }
    List<List<String>> lines = new ArrayList<>(List.of(heads));
    for (Model model : models) {
      List<String> line =
          new ArrayList<>(List.of(model.name(), "%,d".formatted(model.parameters())));
      metrics.forEach(
          metric -> line.add(number(metric, model.metrics().get(metric), model.standardErrors())));
      if (judged) {
        Retention retention = model.retention();
        line.add(retention == null ? "" : "%.3f".formatted(retention.share()));
      }
      lines.add(line);
    }
    for (Group group : groups) {
      List<String> line =
          new ArrayList<>(List.of("%s, %d seeds".formatted(group.name(), group.seeds()), ""));
      metrics.forEach(
          metric -> line.add(number(metric, group.metrics().get(metric), group.standardErrors())));
      if (judged) {
        line.add("");
      }
      lines.add(line);
    }
    StringBuilder table = new StringBuilder(aligned(lines));
    comparisons.forEach(comparison -> table.append(told(comparison)));
    if (data.leftOut() > 0) {
      table.append("%,d rows without text left out%n".formatted(data.leftOut()));
    }
    return table.append(Speed.table(speed)).toString();
  }

  private static String told(Comparison comparison) {
    Seeds seeds = comparison.seeds();
    return "%s against %s, paired over %,d rows: %s %+.4f (standard error %.4f%s)%n"
        .formatted(
            comparison.model(),
            comparison.than(),
            comparison.rows(),
            comparison.metric(),
            comparison.difference(),
            comparison.standardError(),
            seeds == null
                ? ""
                : "; %.4f over %d seeds".formatted(seeds.standardError(), seeds.count()));
  }

  private static String number(String metric, double value, Map<String, Double> errors) {
    if (metric.equals("perplexity")) {
      return "%.2f".formatted(value);
    }
    Double error = errors.get(metric);
    return error == null ? "%.4f".formatted(value) : "%.4f ± %.4f".formatted(value, error);
  }

  /** Names stand left, numbers right. */
  static String aligned(List<List<String>> lines) {
    StringBuilder table = new StringBuilder();
    int columns = lines.get(0).size();
    int[] widths = new int[columns];
    for (List<String> line : lines) {
      for (int c = 0; c < columns; c++) {
        widths[c] = Math.max(widths[c], line.get(c).length());
      }
    }
    for (List<String> line : lines) {
      table.append(("%-" + widths[0] + "s").formatted(line.get(0)));
      for (int c = 1; c < columns; c++) {
        table.append(("  %" + widths[c] + "s").formatted(line.get(c)));
      }
      table.append(System.lineSeparator());
    }
    return table.toString();
  }
}
