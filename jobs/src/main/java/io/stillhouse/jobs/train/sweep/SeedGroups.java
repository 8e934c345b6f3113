package io.stillhouse.jobs.train.sweep;

import io.stillhouse.config.Options;
import io.stillhouse.error.Text;
import io.stillhouse.evaluate.Metrics;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Sweep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Groups the students of a sweep that differ only in their seed; each group is a line of an
 * ablation table. Each group is compared with the first one, seed by seed.
 */
final class SeedGroups {
  private SeedGroups() {}

  /** A mean and its standard error over seeds. */
  record Mean(double value, double standardError) {
    static Mean of(double[] values) {
      return new Mean(Metrics.mean(values), Metrics.standardError(values));
    }

    private String format(String pattern) {
      return String.format(Locale.ROOT, pattern, value, standardError);
    }
  }

  /**
   * Students that differ only in their seed.
   *
   * @param values the settings that only this group has, by key, without the seed
   * @param validation each measurement on the validation rows
   * @param againstFirst the differences from the first group, over the seeds that both have; empty
   *     for the first
   */
  record Group(
      String name,
      Map<String, String> values,
      int seeds,
      Map<String, Mean> validation,
      Map<String, Mean> againstFirst) {}

  /** A trained student: its settings, and its measurements on the validation rows. */
  private record Seeded(Map<String, String> values, Map<String, Double> validation) {
    double measured(String what) {
      return validation.getOrDefault(what, Double.NaN);
    }
  }

  /**
   * Returns the groups in the order of their first students, without groups of a single seed.
   * Students that were not trained to the end are left out.
   */
  static List<Group> of(List<SweepJob.Row> rows) {
    Map<String, Map<Long, Seeded>> bySeed = new LinkedHashMap<>();
    for (SweepJob.Row row : rows) {
      TrainedStudent training = row.training();
      if (training != null && row.status() == SweepOutcome.Status.TRAINED) {
        Seeded seeded = new Seeded(row.values(), training.losses().validation());
        Sweep.seeded(row.name())
            .ifPresent(
                name ->
                    bySeed
                        .computeIfAbsent(name.group(), group -> new TreeMap<>())
                        .put(name.seed(), seeded));
      }
    }
    bySeed.values().removeIf(seeds -> seeds.size() < 2);
    List<Group> groups = new ArrayList<>();
    Map<Long, Seeded> first = Map.of();
    for (Map.Entry<String, Map<Long, Seeded>> entry : bySeed.entrySet()) {
      groups.add(group(entry.getKey(), entry.getValue(), first));
      if (first.isEmpty()) {
        first = entry.getValue();
      }
    }
    return groups;
  }

  private static Group group(String name, Map<Long, Seeded> seeds, Map<Long, Seeded> first) {
    Seeded any = seeds.values().iterator().next();
    Map<String, String> values = new LinkedHashMap<>(any.values());
    values.remove(Options.SEED.key());
    Map<String, Mean> validation = new LinkedHashMap<>();
    Map<String, Mean> meanDifferences = new LinkedHashMap<>();
    for (String what : any.validation().keySet()) {
      validation.put(
          what,
          Mean.of(seeds.values().stream().mapToDouble(seed -> seed.measured(what)).toArray()));
      double[] differences = differences(seeds, first, what);
      if (differences.length > 0) {
        meanDifferences.put(what, Mean.of(differences));
      }
    }
    return new Group(name, values, seeds.size(), validation, meanDifferences);
  }

  /** Returns the finite differences from the first group, over the seeds that both have. */
  private static double[] differences(
      Map<Long, Seeded> seeds, Map<Long, Seeded> first, String what) {
    List<Double> differences = new ArrayList<>();
    seeds.forEach(
        (seed, student) -> {
          Seeded other = first.get(seed);
          double difference =
              other == null ? Double.NaN : student.measured(what) - other.measured(what);
          if (Double.isFinite(difference)) {
            differences.add(difference);
          }
        });
    return differences.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /**
   * Returns the groups as a Markdown table, or "" if there is nothing to show.
   *
   * @param columns the measurements on the validation rows to show
   */
  static String markdown(List<Group> groups, List<String> columns) {
    List<String> shown =
        groups.isEmpty()
            ? List.of()
            : columns.stream().filter(groups.get(0).validation()::containsKey).toList();
    if (shown.isEmpty()) { // the recipe names no validation rows
      return "";
    }
    StringBuilder table = new StringBuilder("| student | seeds |");
    shown.forEach(what -> table.append(Text.format(" validation %s | against the first |", what)));
    table.append("\n| --- | --- |").append(" --- | --- |".repeat(shown.size())).append("\n");
    for (Group group : groups) {
      table.append(Text.format("| %s | %d |", group.name(), group.seeds()));
      for (String what : shown) {
        table.append(
            Text.format(
                " %s | %s |",
                cell(group.validation(), what, "%.4f ± %.4f"),
                cell(group.againstFirst(), what, "%+.4f ± %.4f")));
      }
      table.append("\n");
    }
    return table.toString();
  }

  private static String cell(Map<String, Mean> means, String what, String pattern) {
    Mean mean = means.get(what);
    return mean == null ? "" : mean.format(pattern);
  }
}
