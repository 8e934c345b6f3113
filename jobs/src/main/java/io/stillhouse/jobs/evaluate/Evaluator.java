package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.evaluate.Metrics;
import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Group;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import io.stillhouse.recipe.Baseline;
import io.stillhouse.recipe.Sweep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Computes metrics of models and differences between them from their outputs. */
abstract class Evaluator {
  final List<Candidate> candidates;
  private final String reference;

  /** A model to evaluate. */
  record Candidate(String name, String path, long parameters) {}

  /**
   * @param candidates the models, the teacher first
   * @param reference name of a student or of a group of seeds that all others are compared with, as
   *     checked by {@link #requireNamed}; empty for none
   */
  Evaluator(List<Candidate> candidates, String reference) {
    this.candidates = candidates;
    this.reference = reference;
  }

  /** Returns the number of rows for which the output of a model is not finite. */
  abstract long notFinite(int candidate);

  /** Returns the metrics of one model whose outputs are finite. */
  abstract Model model(int candidate);

  /**
   * Compares models pairwise, {@code a.get(i)} with {@code b.get(i)}.
   *
   * @param names names of {@code a} and {@code b}
   */
  abstract List<Comparison> compare(String[] names, List<Integer> a, List<Integer> b);

  /** Returns the metrics of all models and the differences between them. */
  Evaluation evaluate(Evaluation.Data data) {
    List<Model> models =
        IntStream.range(0, candidates.size())
            .mapToObj(m -> isScored(m) ? model(m) : notScored(m))
            .toList();
    Map<String, Map<Long, Integer>> groups = scored(groups(candidates));
    List<Group> several = new ArrayList<>();
    groups.forEach(
        (name, seeds) -> {
          if (seeds.size() > 1) {
            several.add(group(name, List.copyOf(seeds.values()), models));
          }
        });
    Map<String, Map<Long, Integer>> all = scored(singles(candidates));
    all.putAll(groups);
    List<Comparison> comparisons = new ArrayList<>();
    for (String name : all.keySet()) {
      if (!groups.containsKey(name) || groups.get(name).size() > 1) {
        comparisons.addAll(compare(name, Baseline.name(name), all));
      }
      if (!reference.isEmpty() && !Baseline.name(name).equals(reference)) {
        comparisons.addAll(compare(name, reference, all));
      }
    }
    return new Evaluation(
        models, several, comparisons, data, Verdict.of(models, comparisons), List.of(), Map.of());
  }

  /** Returns whether all outputs of a model are finite, so that it can be scored. */
  boolean isScored(int candidate) {
    return notFinite(candidate) == 0;
  }

  private Model notScored(int candidate) {
    Candidate of = candidates.get(candidate);
    return new Model(
        of.name(), of.path(), of.parameters(), notFinite(candidate), Map.of(), Map.of(), null);
  }

  /** Returns groups without the models that are not scored. */
  private Map<String, Map<Long, Integer>> scored(Map<String, Map<Long, Integer>> groups) {
    Map<String, Map<Long, Integer>> scored = new LinkedHashMap<>();
    groups.forEach(
        (name, seeds) -> {
          Map<Long, Integer> own = new TreeMap<>(seeds);
          own.values().removeIf(member -> !isScored(member));
          if (!own.isEmpty()) {
            scored.put(name, own);
          }
        });
    return scored;
  }

  /**
   * Requires that the reference exists, so that a wrong name is reported before any model runs.
   *
   * @param candidates the models, the teacher first
   * @param reference as in the constructor
   * @throws io.stillhouse.error.StillhouseException if no student and no group of seeds has that
   *     name
   */
  static void requireNamed(List<Candidate> candidates, String reference) {
    Map<String, Map<Long, Integer>> all = singles(candidates);
    all.putAll(groups(candidates));
    if (!reference.isEmpty() && !all.containsKey(reference)) {
      throw Errors.invalid(
          format("evaluate.reference is '%s', but the students are %s", reference, all.keySet()),
          "name one of them");
    }
  }

  /** Returns each student as a group of one seed, by its own name. */
  private static Map<String, Map<Long, Integer>> singles(List<Candidate> candidates) {
    Map<String, Map<Long, Integer>> singles = new LinkedHashMap<>();
    for (int m = 1; m < candidates.size(); m++) {
      singles.put(candidates.get(m).name(), Map.of(0L, m));
    }
    return singles;
  }

  /** Compares two models, or two groups over the seeds that both have, but none with itself. */
  private List<Comparison> compare(
      String name, String reference, Map<String, Map<Long, Integer>> all) {
    Map<Long, Integer> modelSeeds = Objects.requireNonNull(all.get(name));
    Map<Long, Integer> referenceSeeds = all.getOrDefault(reference, Map.of());
    Set<Long> both = new TreeSet<>(modelSeeds.keySet());
    both.retainAll(referenceSeeds.keySet());
    if (both.isEmpty()
        || name.equals(reference)
        || (both.size() == 1) != (referenceSeeds.size() == 1)) {
      return List.of();
    }
    return compare(
        new String[] {name, reference},
        both.stream().map(modelSeeds::get).toList(),
        both.stream().map(referenceSeeds::get).toList());
  }

  /** Returns the students whose names end in a seed, by group name and seed. */
  private static Map<String, Map<Long, Integer>> groups(List<Candidate> candidates) {
    Map<String, Map<Long, Integer>> groups = new LinkedHashMap<>();
    for (int m = 1; m < candidates.size(); m++) {
      int model = m;
      Sweep.seeded(candidates.get(m).name())
          .ifPresent(
              name ->
                  groups
                      .computeIfAbsent(name.group(), group -> new TreeMap<>())
                      .put(name.seed(), model));
    }
    return groups;
  }

  private static Group group(String name, List<Integer> members, List<Model> models) {
    Map<String, Double> means = new LinkedHashMap<>();
    Map<String, Double> errors = new LinkedHashMap<>();
    for (String metric : models.get(members.get(0)).metrics().keySet()) {
      double[] values =
          members.stream().mapToDouble(m -> models.get(m).metrics().get(metric)).toArray();
      means.put(metric, Metrics.mean(values));
      errors.put(metric, Metrics.standardError(values));
    }
    return new Group(name, members.size(), means, errors);
  }
}
