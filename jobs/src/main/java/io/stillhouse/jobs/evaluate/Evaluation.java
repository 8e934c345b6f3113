package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.recipe.ModelCheck;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The contents of {@code evaluation.json}.
 *
 * @param models the teacher first, then the students in their order
 * @param groups students that differ only in their seed; empty if there are none
 * @param comparisons of each distilled student with its baseline and, if {@code evaluate.reference}
 *     is set, of all other students with the reference; paired by row
 * @param data the rows that were read
 * @param verdict whether distilling helped, one sentence each
 * @param speed one entry for each shape of model, the teacher first; empty if not measured
 * @param bytes the size of each model's files of weights, by name
 */
public record Evaluation(
    List<Model> models,
    List<Group> groups,
    List<Comparison> comparisons,
    Data data,
    List<String> verdict,
    List<Speed> speed,
    Map<String, Long> bytes) {

  /**
   * The metrics of one model.
   *
   * @param notFiniteRows number of rows for which an output is infinite or not a number; if there
   *     are any, the model has no metrics
   * @param metrics {@code agreement} with the teacher and, if the rows have labels, the task's
   *     metrics; there is no agreement with a teacher that has such rows
   * @param standardErrors standard errors of the task's metrics over rows
   * @param retention retention by the task's first metric; null for the teacher and without labels
   */
  public record Model(
      String name,
      String path,
      long parameters,
      long notFiniteRows,
      Map<String, Double> metrics,
      Map<String, Double> standardErrors,
      @Nullable Retention retention) {

    private Model at(String directory, int length) {
      return new Model(
          name,
          directory + path.substring(length),
          parameters,
          notFiniteRows,
          metrics,
          standardErrors,
          retention);
    }
  }

  /** A student's metric divided by the teacher's, and its standard error over rows. */
  public record Retention(String metric, double share, double standardError) {}

  /**
   * Students that differ only in their seed.
   *
   * @param metrics means over the seeds
   * @param standardErrors standard errors of these means over seeds
   */
  public record Group(
      String name, int seeds, Map<String, Double> metrics, Map<String, Double> standardErrors) {}

  /**
   * The difference between two models, or between two groups of models, on the same rows.
   *
   * @param metric the metric that is compared
   * @param difference the metric of {@code model} minus that of {@code reference}; for groups, the
   *     mean over seeds
   * @param standardError standard error of the difference over rows, paired by row
   * @param seeds standard error over seeds; null for single models
   */
  public record Comparison(
      String model,
      String reference,
      String metric,
      double difference,
      double standardError,
      int rows,
      @Nullable Seeds seeds) {}

  /** The number of pairs with the same seed, and the standard error of their mean difference. */
  public record Seeds(int count, double standardError) {}

  /** Evaluated rows, their masked tokens, and the number of invalid rows, which were left out. */
  public record Data(List<String> paths, long rows, long maskedTokens, long leftOut) {}

  Evaluation withSpeed(List<Speed> measured) {
    return new Evaluation(models, groups, comparisons, data, verdict, measured, bytes);
  }

  Evaluation withBytes(Map<String, Long> measured) {
    return new Evaluation(models, groups, comparisons, data, verdict, speed, measured);
  }

  /** Returns the evaluation after models in a directory have moved to another one. */
  public Evaluation moved(String from, String to) {
    List<Model> moved =
        models.stream()
            .map(model -> model.path().startsWith(from) ? model.at(to, from.length()) : model)
            .toList();
    return new Evaluation(moved, groups, comparisons, data, verdict, speed, bytes);
  }

  /** Returns a table of the models for the console, followed by groups, comparisons and speeds. */
  public String table() {
    Set<String> metrics = new LinkedHashSet<>();
    models.forEach(model -> metrics.addAll(model.metrics().keySet()));
    boolean retained = models.stream().anyMatch(model -> model.retention() != null);
    List<String> heads = new ArrayList<>(List.of("model", "parameters", "MB"));
    heads.addAll(metrics);
    if (retained) {
      heads.add("retention");
    }
    heads.addAll(Speed.heads(speed));
    List<List<String>> lines = new ArrayList<>(List.of(heads));
    for (Model model : models) {
      List<String> line = new ArrayList<>(List.of(model.name(), format("%,d", model.parameters())));
      Long size = bytes.get(model.name());
      line.add(size == null ? "" : format("%.1f", size / 1e6));
      metrics.forEach(metric -> line.add(number(metric, model.metrics(), model.standardErrors())));
      if (retained) {
        Retention retention = model.retention();
        line.add(retention == null ? "" : format("%.3f", retention.share()));
      }
      line.addAll(Speed.cells(speed, model.name()));
      lines.add(line);
    }
    for (Group group : groups) {
      List<String> line =
          new ArrayList<>(List.of(format("%s, %d seeds", group.name(), group.seeds()), "", ""));
      metrics.forEach(metric -> line.add(number(metric, group.metrics(), group.standardErrors())));
      if (retained) {
        line.add("");
      }
      line.addAll(Speed.cells(speed, group.name()));
      lines.add(line);
    }
    StringBuilder table = new StringBuilder(aligned(lines));
    for (Model model : models) {
      if (model.notFiniteRows() > 0) {
        String problem = ModelCheck.notFinite(model.name(), model.notFiniteRows(), data.rows());
        table.append(format("%s, so it is not scored%n", problem));
      }
    }
    comparisons.forEach(comparison -> table.append(line(comparison)));
    verdict.forEach(sentence -> table.append(format("%s.%n", sentence)));
    return table.append(Speed.table(speed)).toString();
  }

  private static String line(Comparison comparison) {
    Seeds seeds = comparison.seeds();
    return format(
        "%s against %s, paired over %,d rows: %s %+.4f (standard error %.4f%s)%n",
        comparison.model(),
        comparison.reference(),
        comparison.rows(),
        comparison.metric(),
        comparison.difference(),
        comparison.standardError(),
        seeds == null ? "" : format("; %.4f over %d seeds", seeds.standardError(), seeds.count()));
  }

  private static String number(
      String metric, Map<String, Double> values, Map<String, Double> errors) {
    Double value = values.get(metric);
    if (value == null) {
      return "-";
    }
    if (metric.equals("perplexity")) {
      return format("%.2f", value);
    }
    Double error = errors.get(metric);
    return error == null ? format("%.4f", value) : format("%.4f ± %.4f", value, error);
  }

  /** Aligns the first column to the left and all others to the right. */
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
      table.append(String.format(Locale.ROOT, "%-" + widths[0] + "s", line.get(0)));
      for (int c = 1; c < columns; c++) {
        table.append(String.format(Locale.ROOT, "  %" + widths[c] + "s", line.get(c)));
      }
      table.append(System.lineSeparator());
    }
    return table.toString();
  }
}
