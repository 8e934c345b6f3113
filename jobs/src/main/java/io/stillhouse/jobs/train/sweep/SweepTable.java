package io.stillhouse.jobs.train.sweep;

import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Sweep;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The result of a sweep as text, with a line for each student and a column for each key that
 * differs.
 */
final class SweepTable {
  private static final String NONE = "-";

  private final List<SweepJob.Row> rows;
  private final List<String> columns;

  /**
   * @param columns the measurements on the validation rows to show
   */
  SweepTable(List<SweepJob.Row> rows, List<String> columns) {
    this.rows = rows;
    this.columns = columns;
  }

  String text() {
    Set<String> keys = new LinkedHashSet<>();
    Set<String> terms = new LinkedHashSet<>();
    Set<String> validation = new LinkedHashSet<>();
    for (SweepJob.Row row : rows) {
      keys.addAll(row.values().keySet());
      if (row.training() != null) {
        terms.addAll(row.training().losses().last().keySet());
        validation.addAll(row.training().losses().validation().keySet());
      }
    }
    validation.retainAll(columns);
    Map<String, String> labels = Sweep.labels(keys);
    List<List<String>> lines = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("student"));
    keys.forEach(key -> head.add(labels.get(key)));
    head.addAll(List.of("parameters", "steps", "status"));
    head.addAll(terms);
    validation.forEach(what -> head.add("validation " + what));
    head.add("tokens/s");
    lines.add(head);
    rows.forEach(row -> lines.add(line(row, keys, terms, validation)));
    return aligned(lines, keys.size());
  }

  private static List<String> line(
      SweepJob.Row row, Set<String> keys, Set<String> terms, Set<String> validation) {
    List<String> line = new ArrayList<>(List.of(row.name()));
    keys.forEach(key -> line.add(row.values().getOrDefault(key, NONE)));
    TrainedStudent training = row.training();
    line.add(training == null ? NONE : number("%,d", training.parameters()));
    line.add(training == null ? NONE : number("%,d", training.steps()));
    line.add(row.status().name().toLowerCase(Locale.ROOT));
    Map<String, Double> last = training == null ? Map.of() : training.losses().last();
    terms.forEach(term -> line.add(number("%.3f", last.get(term))));
    Map<String, Double> measured = training == null ? Map.of() : training.losses().validation();
    validation.forEach(what -> line.add(number("%.4f", measured.get(what))));
    line.add(training == null ? NONE : number("%,.0f", training.speed().tokensPerSecond()));
    return line;
  }

  private static String number(String format, @Nullable Number value) {
    return value == null ? NONE : String.format(Locale.ROOT, format, value);
  }

  /** Aligns texts on the left and numbers on the right. */
  private static String aligned(List<List<String>> lines, int keys) {
    StringBuilder text = new StringBuilder();
    int status = keys + 3;
    for (List<String> line : lines) {
      StringBuilder one = new StringBuilder();
      for (int column = 0; column < line.size(); column++) {
        int at = column;
        int width = lines.stream().mapToInt(other -> other.get(at).length()).max().orElse(0);
        String pad = " ".repeat(width - line.get(column).length());
        boolean left = column <= keys || column == status;
        one.append(column == 0 ? "" : "  ")
            .append(left ? line.get(column) + pad : pad + line.get(column));
      }
      text.append(one.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
