package io.stillhouse.jobs.distill;

import io.stillhouse.jobs.evaluate.Evaluation;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The contents of {@code distill.json}, which is rewritten after each step.
 *
 * @param table the table, as the user wrote it
 * @param arguments the user's settings
 * @param seconds wall time of each finished step, summed over all runs
 * @param teacher the directory of the teacher; null before it is known
 * @param data the parts of the table; null before they are written
 * @param models the metrics of teacher, baseline and student; empty before they are evaluated
 * @param verdict whether distilling helped
 */
record DistillRecord(
    String table,
    List<String> arguments,
    Map<String, Double> seconds,
    @Nullable String teacher,
    TableSplit.@Nullable Result data,
    List<Evaluation.Model> models,
    List<String> verdict) {

  /** Creates the record of a run that has done nothing yet. */
  static DistillRecord begin(String table, List<String> arguments) {
    return new DistillRecord(table, arguments, Map.of(), null, null, List.of(), List.of());
  }

  /** Returns a copy with the total time of a step. */
  DistillRecord with(String step, double taken) {
    Map<String, Double> all = new LinkedHashMap<>(seconds);
    all.put(step, taken);
    return new DistillRecord(table, arguments, all, teacher, data, models, verdict);
  }

  DistillRecord with(TableSplit.Result split) {
    return new DistillRecord(table, arguments, seconds, teacher, split, models, verdict);
  }

  DistillRecord withTeacher(String directory) {
    return new DistillRecord(table, arguments, seconds, directory, data, models, verdict);
  }

  DistillRecord with(Evaluation evaluation) {
    return new DistillRecord(
        table, arguments, seconds, teacher, data, evaluation.models(), evaluation.verdict());
  }
}
