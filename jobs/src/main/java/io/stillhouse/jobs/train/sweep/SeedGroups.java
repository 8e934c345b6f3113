package io.stillhouse.jobs.train.sweep;

import io.stillhouse.config.Options;
import io.stillhouse.evaluate.Metrics;
import io.stillhouse.recipe.Sweep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What the students of a sweep that differ in their seed alone have in common: an ablation's lines.
 * Each group is compared with the first one, seed by seed.
 */
final class SeedGroups {
  private SeedGroups() {}

  /** A mean and its standard error over seeds. */
  record Mean(double value, double standardError) {
    static Mean of(double[] values) {
      return new Mean(Metrics.mean(values), Metrics.standardError(values));
    }
  }

  /**
   * Students of several seeds.
   *
   * @param values what they have of their own, but for the seed, by key
   * @param validation each number over the held-out rows
   * @param againstFirst the differences from the first group, over the seeds that both have; empty
   *     for the first
   */
  record Group(
      String name,
      Map<String, String> values,
      int seeds,
      Map<String, Mean> validation,
      Map<String, Mean> againstFirst) {}

  /** Returns the groups in the order of their first students; none where no seed differs. */
  static List<Group> of(List<SweepJob.Row> rows) {
    Map<String, Map<Long, SweepJob.Row>> bySeed = new LinkedHashMap<>();
    for (SweepJob.Row row : rows) {
      if (row.training() != null && row.status() == SweepOutcome.Status.TRAINED) {
        Sweep.seeded(row.name())
            .ifPresent(
                name ->
                    bySeed
                        .computeIfAbsent(name.group(), group -> new TreeMap<>())
                        .put(name.seed(), row));
      }
    }
    bySeed.values().removeIf(seeds -> seeds.size() < 2);
    List<Group> groups = new ArrayList<>();
    Map<Long, SweepJob.Row> first = null;
    for (Map.Entry<String, Map<Long, SweepJob.Row>> entry : bySeed.entrySet()) {
      Map<Long, SweepJob.Row> seeds = entry.getValue();
      first = first == null ? seeds : first;
      groups.add(group(entry.getKey(), seeds, first));
    }
    return groups;
  }

  private static Group group(
      String name, Map<Long, SweepJob.Row> seeds, Map<Long, SweepJob.Row> first) {
    SweepJob.Row any = seeds.values().iterator().next();
    Map<String, String> values = new LinkedHashMap<>(any.values());
    values.remove(Options.SEED.key());
    Map<String, Mean> validation = new LinkedHashMap<>();
    Map<String, Mean> against = new LinkedHashMap<>();
    for (String what : any.training().losses().validation().keySet()) {
      validation.put(
          what, Mean.of(seeds.values().stream().mapToDouble(row -> measured(row, what)).toArray()));
      double[] differences =
          seeds.keySet().stream()
              .filter(first::containsKey)
              .mapToDouble(
                  seed -> measured(seeds.get(seed), what) - measured(first.get(seed), what))
              .filter(Double::isFinite)
              .toArray();
      if (seeds != first && differences.length > 0) {
        against.put(what, Mean.of(differences));
      }
    }
    return new Group(name, values, seeds.size(), validation, against);
  }

  private static double measured(SweepJob.Row row, String what) {
    return row.training().losses().validation().getOrDefault(what, Double.NaN);
  }

  /**
   * Returns the groups as a Markdown table, empty where there is nothing to show.
   *
   * @param columns which numbers over held-out rows are shown
   */
  static String markdown(List<Group> groups, List<String> columns) {
    List<String> shown =
        groups.isEmpty()
            ? List.of()
            : columns.stream().filter(groups.get(0).validation()::containsKey).toList();
    if (shown.isEmpty()) { // nothing was held out
      return "";
    }
    StringBuilder table = new StringBuilder("| student | seeds |");
    shown.forEach(what -> table.append(" held-out %s | against the first |".formatted(what)));
    table.append("\n| --- | --- |").append(" --- | --- |".repeat(shown.size())).append("\n");
    for (Group group : groups) {
      table.append("| %s | %d |".formatted(group.name(), group.seeds()));
      table.append(
          shown.stream()
              .map(
                  what ->
                      " %s | %s |"
                          .formatted(
                              told("%.4f ± %.4f", group.validation().get(what)),
                              told("%+.4f ± %.4f", group.againstFirst().get(what))))
              .collect(Collectors.joining()));
      table.append("\n");
    }
    return table.toString();
  }

  private static String told(String format, Mean mean) {
    return mean == null
        ? ""
        : String.format(Locale.ROOT, format, mean.value(), mean.standardError());
  }
}
