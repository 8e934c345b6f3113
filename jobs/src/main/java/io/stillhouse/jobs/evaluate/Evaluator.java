package io.stillhouse.jobs.evaluate;

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
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Finds out how good models are from what they made of the rows. */
abstract class Evaluator {
  final List<Candidate> candidates;
  private final String against;

  /** A model before it is judged. */
  record Candidate(String name, String path, long parameters) {}

  /**
   * @param against the name of a student, or of students of several seeds, that all others are
   *     compared with, as {@link #requireNamed} wants it; empty for none
   */
  Evaluator(List<Candidate> candidates, String against) {
    this.candidates = candidates;
    this.against = against;
  }

  /** Returns one model. */
  abstract Model model(int candidate);

  /**
   * Compares models pairwise, {@code a.get(i)} with {@code b.get(i)}.
   *
   * @param names of the two sides
   */
  abstract List<Comparison> compare(String[] names, List<Integer> a, List<Integer> b);

  /** Judges all. */
  Evaluation judge(Evaluation.Data data) {
    List<Model> models = IntStream.range(0, candidates.size()).mapToObj(this::model).toList();
    Map<String, Map<Long, Integer>> groups = groups(candidates);
    List<Group> told = new ArrayList<>();
    groups.forEach(
        (name, seeds) -> {
          if (seeds.size() > 1) {
            told.add(group(name, List.copyOf(seeds.values()), models));
          }
        });
    Map<String, Map<Long, Integer>> all = singles(candidates);
    all.putAll(groups);
    List<Comparison> comparisons = new ArrayList<>();
    for (String name : all.keySet()) {
      if (!groups.containsKey(name) || groups.get(name).size() > 1) {
        comparisons.addAll(compare(name, Baseline.name(name), all));
      }
      if (!against.isEmpty() && !Baseline.name(name).equals(against)) {
        comparisons.addAll(compare(name, against, all));
      }
    }
    return new Evaluation(models, told, comparisons, data, List.of());
  }

  /**
   * Requires that there is one that others can be compared with, so that a wrong name is told
   * before any model has run.
   *
   * @param candidates the teacher first
   * @param against as the constructor's
   * @throws io.stillhouse.error.StillhouseException if no student, nor students of several seeds,
   *     have that name
   */
  static void requireNamed(List<Candidate> candidates, String against) {
    Map<String, Map<Long, Integer>> all = singles(candidates);
    all.putAll(groups(candidates));
    if (!against.isEmpty() && !all.containsKey(against)) {
      throw Errors.invalid(
          "evaluate.reference is '%s', but the students are %s".formatted(against, all.keySet()),
          "name one of them");
    }
  }

  /** Returns each student as if it had one seed, under its own name. */
  private static Map<String, Map<Long, Integer>> singles(List<Candidate> candidates) {
    Map<String, Map<Long, Integer>> singles = new LinkedHashMap<>();
    for (int m = 1; m < candidates.size(); m++) {
      singles.put(candidates.get(m).name(), Map.of(0L, m));
    }
    return singles;
  }

  /** Compares models, or groups over the seeds that both have; nothing with itself. */
  private List<Comparison> compare(String name, String than, Map<String, Map<Long, Integer>> all) {
    Map<Long, Integer> others = all.getOrDefault(than, Map.of());
    Set<Long> both = new TreeSet<>(all.get(name).keySet());
    both.retainAll(others.keySet());
    if (both.isEmpty() || name.equals(than) || (both.size() == 1) != (others.size() == 1)) {
      return List.of();
    }
    return compare(
        new String[] {name, than},
        both.stream().map(all.get(name)::get).toList(),
        both.stream().map(others::get).toList());
  }

  /** Returns models by seed, under the name that they share, or would. */
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
