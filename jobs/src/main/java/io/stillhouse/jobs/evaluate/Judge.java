package io.stillhouse.jobs.evaluate;

import io.stillhouse.config.Sweep;
import io.stillhouse.evaluate.Metrics;
import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Group;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Finds out how good models are from what they made of the rows. */
abstract class Judge {
  final List<Candidate> candidates;

  /** A model before it is judged. */
  record Candidate(String name, String path, long parameters) {}

  Judge(List<Candidate> candidates) {
    this.candidates = candidates;
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
    List<Comparison> comparisons = new ArrayList<>();
    for (int student = 1; student < candidates.size(); student++) {
      int twin = twin(candidates.get(student).name());
      if (twin > 0) {
        String[] names = {candidates.get(student).name(), candidates.get(twin).name()};
        comparisons.addAll(compare(names, List.of(student), List.of(twin)));
      }
    }
    Map<String, Map<Integer, Integer>> groups = groups();
    List<Group> told = new ArrayList<>();
    groups.forEach((name, seeds) -> told.add(group(name, List.copyOf(seeds.values()), models)));
    groups.forEach(
        (name, seeds) -> {
          Map<Integer, Integer> twins = groups.getOrDefault(twinOf(name), Map.of());
          Set<Integer> both = new TreeSet<>(seeds.keySet());
          both.retainAll(twins.keySet());
          if (both.size() > 1) {
            comparisons.addAll(
                compare(
                    new String[] {name, twinOf(name)},
                    both.stream().map(seeds::get).toList(),
                    both.stream().map(twins::get).toList()));
          }
        });
    return new Evaluation(models, told, comparisons, data);
  }

  private static String twinOf(String name) {
    return name.equals("distilled") ? "undistilled" : name + "-undistilled";
  }

  private int twin(String name) {
    return IntStream.range(1, candidates.size())
        .filter(m -> candidates.get(m).name().equals(twinOf(name)))
        .findFirst()
        .orElse(0);
  }

  /** Returns models by seed, under the name that they share; none that stands alone. */
  private Map<String, Map<Integer, Integer>> groups() {
    Map<String, Map<Integer, Integer>> groups = new LinkedHashMap<>();
    for (int m = 1; m < candidates.size(); m++) {
      int model = m;
      Sweep.seeded(candidates.get(m).name())
          .ifPresent(
              name ->
                  groups
                      .computeIfAbsent(name.group(), group -> new TreeMap<>())
                      .put(name.seed(), model));
    }
    groups.values().removeIf(seeds -> seeds.size() < 2);
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
