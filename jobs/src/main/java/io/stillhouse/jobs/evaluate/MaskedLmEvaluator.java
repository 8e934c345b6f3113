package io.stillhouse.jobs.evaluate;

import io.stillhouse.evaluate.Metrics;
import io.stillhouse.jobs.evaluate.Evaluation.Comparison;
import io.stillhouse.jobs.evaluate.Evaluation.Model;
import io.stillhouse.jobs.evaluate.Evaluation.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;

/** Evaluates masked LMs by their predictions for the masked tokens of each row. */
final class MaskedLmEvaluator extends Evaluator {
  private final List<EvaluateTask.MaskedCounts> rows;
  private final long[] trials;

  MaskedLmEvaluator(
      List<Candidate> candidates, String reference, List<EvaluateTask.RowResult> rows) {
    super(candidates, reference);
    this.rows = rows.stream().map(row -> Objects.requireNonNull(row.masked())).toList();
    this.trials = this.rows.stream().mapToLong(EvaluateTask.MaskedCounts::tokens).toArray();
  }

  /** A logit that is not finite makes the likelihood of its row infinite or not a number. */
  @Override
  long notFinite(int candidate) {
    return rows.stream().filter(row -> !Double.isFinite(row.nll()[candidate])).count();
  }

  @Override
  Model model(int candidate) {
    Map<String, Double> metrics = new LinkedHashMap<>();
    if (isScored(0)) {
      metrics.put("agreement", rate(candidate, EvaluateTask.MaskedCounts::agreeing));
    }
    metrics.put("accuracy", rate(candidate, EvaluateTask.MaskedCounts::correct));
    double nll = rows.stream().mapToDouble(row -> row.nll()[candidate]).sum();
    metrics.put("perplexity", Math.exp(nll / Math.max(1, tokens())));
    Candidate evaluated = candidates.get(candidate);
    return new Model(
        evaluated.name(), evaluated.path(), evaluated.parameters(), 0, metrics, Map.of(), null);
  }

  private double rate(int candidate, Function<EvaluateTask.MaskedCounts, int[]> counts) {
    long hits = rows.stream().mapToLong(row -> counts.apply(row)[candidate]).sum();
    return tokens() == 0 ? 0 : (double) hits / tokens();
  }

  private long tokens() {
    return Arrays.stream(trials).sum();
  }

  @Override
  List<Comparison> compare(String[] names, List<Integer> a, List<Integer> b) {
    List<Comparison> comparisons = new ArrayList<>();
    if (isScored(0)) {
      comparisons.add(compare(names, a, b, "agreement", EvaluateTask.MaskedCounts::agreeing));
    }
    comparisons.add(compare(names, a, b, "accuracy", EvaluateTask.MaskedCounts::correct));
    return comparisons;
  }

  private Comparison compare(
      String[] names,
      List<Integer> a,
      List<Integer> b,
      String metric,
      Function<EvaluateTask.MaskedCounts, int[]> counts) {
    // Each row has the same number of trials for every seed.
    long[] all = Arrays.stream(trials).map(row -> row * a.size()).toArray();
    Metrics.Paired paired = Metrics.paired(hits(a, counts), hits(b, counts), all);
    double[] bySeed =
        IntStream.range(0, a.size())
            .mapToDouble(
                i ->
                    Metrics.paired(
                            hits(List.of(a.get(i)), counts),
                            hits(List.of(b.get(i)), counts),
                            trials)
                        .difference())
            .toArray();
    return new Comparison(
        names[0],
        names[1],
        metric,
        paired.difference(),
        paired.standardError(),
        paired.rows(),
        a.size() == 1 ? null : new Seeds(a.size(), Metrics.standardError(bySeed)));
  }

  private long[] hits(List<Integer> models, Function<EvaluateTask.MaskedCounts, int[]> counts) {
    return rows.stream()
        .mapToLong(row -> models.stream().mapToLong(m -> counts.apply(row)[m]).sum())
        .toArray();
  }
}
