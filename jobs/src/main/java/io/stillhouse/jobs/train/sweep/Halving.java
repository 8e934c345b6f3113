package io.stillhouse.jobs.train.sweep;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.recipe.TrainingCache;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.loss.DistillLoss;
import io.stillhouse.loss.Term;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Metric;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * Decides which students of a sweep continue after a pause (successive halving; Jamieson and
 * Talwalkar 2016, arXiv:1502.07943). Each decision is written to a file, which a restarted sweep
 * follows.
 */
final class Halving {
  private static final String AGREEMENT = "agreement";

  private final Storage storage;
  private final Path directory;
  private final Rule rule;
  private final Map<String, String> students;

  /** The recipe's rule: the pauses, the share of students that continue, and the measure. */
  record Rule(List<Integer> at, double keep, String by) {
    static Rule of(Settings settings) {
      return new Rule(
          settings.get(Options.HALVING_AT),
          settings.get(Options.HALVING_KEEP),
          settings.get(Options.HALVING_BY));
    }
  }

  /**
   * One decision.
   *
   * @param rule the rule that was applied
   * @param students the fingerprints of all students of the sweep, by name
   * @param at the step of the pause
   * @param measured the measure of each student that reached the pause
   * @param goingOn the students that continue, the best first
   * @param out the outcomes of the others
   */
  record Decision(
      Rule rule,
      Map<String, String> students,
      long at,
      Map<String, Double> measured,
      List<String> goingOn,
      List<SweepOutcome> out) {}

  Halving(Storage storage, Path students, Rule rule, List<StudentRun> runs) {
    this.storage = storage;
    this.directory = new Path(students, "_sweep");
    this.rule = rule;
    this.students = new TreeMap<>();
    runs.forEach(run -> this.students.put(run.name(), run.fingerprint()));
  }

  List<Integer> pauses() {
    return rule.at();
  }

  String by() {
    return rule.by();
  }

  /** Checks that the rule can measure a student. */
  void requireMeasurable(StudentRun run) {
    if (rule.at().isEmpty()) {
      return;
    }
    if (run.train().rounds().used()) {
      throw Errors.invalid(
          format(
              "sweep.halving.at is %s, but a student that is trained in rounds cannot be paused",
              rule.at()),
          "set train.workers=1 and train.lookahead=false, or remove the pauses");
    }
    if (weight(run.loss()) == 0) {
      throw Errors.invalid(
          format("sweep.halving.by is %s, but loss.%s.weight is 0", rule.by(), rule.by()),
          "set a weight, or rank by a measure that all students have");
    }
  }

  private double weight(DistillSpec loss) {
    return Arrays.stream(Term.values())
        .filter(term -> term.id().equals(rule.by()))
        .mapToDouble(term -> DistillLoss.weight(loss, term))
        .findFirst()
        .orElse(1);
  }

  /** Checks that the validation rows have what the rule measures. */
  void requireRows(TrainingCache cache) throws IOException {
    if (rule.at().isEmpty()) {
      return;
    }
    CacheReader validation = cache.validation();
    if (validation == null) {
      throw Errors.invalid(
          format("train.validation is empty, but sweep.halving.at is %s", rule.at()),
          "cache rows that students are not trained on, and set it to that cache");
    }
    if (!higherIsBetter(rule.by())) {
      return;
    }
    List<String> taskMetrics =
        Metric.of(cache.teacher().spec().head().task()).stream().map(Metric::id).toList();
    boolean agreement = rule.by().equals(AGREEMENT);
    if (agreement ? taskMetrics.isEmpty() : !taskMetrics.contains(rule.by())) {
      throw Errors.invalid(
          format(
              "sweep.halving.by is %s, but the teacher's task has %s",
              rule.by(), taskMetrics.isEmpty() ? "no metrics" : taskMetrics + " and agreement"),
          "rank by loss or by one of its terms"
              + (taskMetrics.isEmpty() ? "" : ", or by one of these"));
    }
    if (!(agreement ? validation.has(Targets.LOGITS) : cache.isLabelled(validation))) {
      throw Errors.invalid(
          format(
              "sweep.halving.by is %s, but the rows of train.validation have no %s",
              rule.by(), agreement ? "teacher's logits" : "labels"),
          "cache these rows with them, or rank by loss");
    }
  }

  /**
   * Reads the decision at a pause; empty if there is none yet.
   *
   * @throws io.stillhouse.error.StillhouseException if it was made by a different rule or for
   *     different students
   */
  Optional<Decision> readDecision(long at) throws IOException {
    Path file = file(at);
    if (!storage.exists(file)) {
      return Optional.empty();
    }
    Decision decision = Storage.JSON.fromJson(storage.readText(file), Decision.class);
    if (!decision.rule().equals(rule) || !decision.students().equals(students)) {
      throw Errors.invalid(
          format(
              "'%s' was decided by a different rule (%s), or for different students, than those of"
                  + " this sweep (%s)",
              file, decision.rule(), rule),
          format(
              "set another train.path, or delete '%s' and the checkpoints next to it", directory));
    }
    return Optional.of(decision);
  }

  /** Decides which of the students that reached a pause continue, and writes the decision. */
  Decision decide(long at, Collection<SweepOutcome> outcomes) throws IOException {
    List<SweepOutcome> paused =
        outcomes.stream()
            .filter(outcome -> outcome.status() == SweepOutcome.Status.PAUSED)
            .sorted(Comparator.comparingDouble(this::sortKey).thenComparing(SweepOutcome::name))
            .toList();
    // In doubles, a tenth of thirty is slightly more than three.
    int share = (int) Math.ceil(rule.keep() * paused.size() - 1e-9);
    int kept = Math.min(paused.size(), Math.max(1, share));
    Map<String, Double> measured = new LinkedHashMap<>();
    paused.forEach(outcome -> measured.put(outcome.name(), outcome.validation(rule.by())));
    List<SweepOutcome> out = new ArrayList<>();
    paused.subList(kept, paused.size()).forEach(outcome -> out.add(outcome.stopped()));
    outcomes.stream()
        .filter(outcome -> outcome.status() == SweepOutcome.Status.FAILED)
        .forEach(out::add);
    Decision decision =
        new Decision(
            rule,
            students,
            at,
            measured,
            paused.subList(0, kept).stream().map(SweepOutcome::name).toList(),
            out);
    storage.fileSystem(directory).mkdirs(directory);
    storage.writeJson(file(at), decision);
    return decision;
  }

  /** Returns the sort key of a student; the best is the smallest, and NaN sorts last. */
  private double sortKey(SweepOutcome outcome) {
    double value = outcome.validation(rule.by());
    return higherIsBetter(rule.by()) ? -value : value;
  }

  private static boolean higherIsBetter(String by) {
    return by.equals(AGREEMENT)
        || Arrays.stream(Metric.values()).anyMatch(metric -> metric.id().equals(by));
  }

  private Path file(long at) {
    return new Path(directory, format("halving-%09d.json", at));
  }
}
