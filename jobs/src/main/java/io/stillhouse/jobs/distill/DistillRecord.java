package io.stillhouse.jobs.distill;

import io.stillhouse.error.Secrets;
import io.stillhouse.jobs.evaluate.Evaluation;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The contents of {@code distill.json}, which is rewritten after each step.
 *
 * @param seconds wall time of each finished step, summed over all runs
 * @param teacher the directory of the teacher; null before it is known
 * @param data the parts of the table; null before they are written
 * @param models the metrics of teacher, baseline and student; empty before they are evaluated
 * @param verdict whether distilling helped
 */
record DistillRecord(
    Request request,
    Map<String, Double> seconds,
    @Nullable String teacher,
    TableSplit.@Nullable Result data,
    List<Evaluation.Model> models,
    List<String> verdict) {

  /**
   * What the user asked for.
   *
   * @param table the table, as the user wrote it
   * @param directory the directory, as the user wrote it
   * @param absolutePath the directory's absolute path
   * @param arguments the user's settings
   */
  record Request(String table, String directory, String absolutePath, List<String> arguments) {
    /** Keeps no secret values, because the record is written and compared with a written one. */
    Request {
      table = Secrets.hiddenIn(table);
      directory = Secrets.hiddenIn(directory);
      absolutePath = Secrets.hiddenIn(absolutePath);
      arguments = arguments.stream().map(Secrets::hiddenIn).toList();
    }

    /** Returns whether another request is of the same table and settings, in any order. */
    boolean sameWork(Request other) {
      return table.equals(other.table) && Set.copyOf(arguments).equals(Set.copyOf(other.arguments));
    }

    /** Returns whether another request is of the directory that this one's name still denotes. */
    boolean sameDirectory(Request other) {
      String denoted = Path.of(directory).toAbsolutePath().normalize().toString();
      denoted = Secrets.hiddenIn(denoted);
      return absolutePath.equals(other.absolutePath) && absolutePath.equals(denoted);
    }
  }

  /** Creates the record of a run that has done nothing yet. */
  static DistillRecord begin(String table, DistillDirectory directory, List<String> arguments) {
    Request request =
        new Request(
            table,
            directory.path().toString(),
            directory.path().toAbsolutePath().normalize().toString(),
            arguments);
    return new DistillRecord(request, Map.of(), null, null, List.of(), List.of());
  }

  /** Returns a copy with the total time of a step. */
  DistillRecord with(String step, double taken) {
    Map<String, Double> all = new LinkedHashMap<>(seconds);
    all.put(step, taken);
    return new DistillRecord(request, all, teacher, data, models, verdict);
  }

  DistillRecord with(TableSplit.Result split) {
    return new DistillRecord(request, seconds, teacher, split, models, verdict);
  }

  DistillRecord withTeacher(String directory) {
    return new DistillRecord(request, seconds, directory, data, models, verdict);
  }

  DistillRecord with(Evaluation evaluation) {
    return new DistillRecord(
        request, seconds, teacher, data, evaluation.models(), evaluation.verdict());
  }
}
