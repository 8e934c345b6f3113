package io.stillhouse.jobs.report;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The steps of one training, thinned to the means of consecutive steps.
 *
 * @param student the name of the student
 * @param step the last step of each mean
 * @param tokensSeen the real tokens of all steps up to that one
 * @param values the loss, its terms, the learning rate, the gradient norm, {@code
 *     tokens-per-second} and {@code wait-share}; NaN where a step has none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Curve(String student, long[] step, double[] tokensSeen, Map<String, double[]> values) {
  static final String LOSS = "loss";
  static final String LEARNING_RATE = "learning-rate";
  static final String GRADIENT_NORM = "gradient-norm";
  static final String SPEED = "tokens-per-second";
  static final String WAITING = "wait-share";

  /** The numbers of a step that are no terms of its loss. */
  static final List<String> OTHERS = List.of(LEARNING_RATE, GRADIENT_NORM, SPEED, WAITING);

  private static final List<String> NOT_SHOWN =
      List.of("step", "steps", "time", "tokens", "tokens-seen", "seconds", "wait-seconds");

  /** The most lines of a file that are parsed: a report of many long trainings stays quick. */
  private static final int MOST_LINES = 2000;

  private record Step(long step, double tokensSeen, Map<String, Double> values) {}

  /**
   * Reads the lines of a training, which may contain steps twice if it was resumed: the later ones
   * count. A line that is not complete, because the training was killed, is skipped.
   *
   * @param points the most points of the result
   */
  static Curve of(String student, List<String> lines, int points) {
    List<Step> steps = new ArrayList<>();
    int stride = Math.max(1, lines.size() / MOST_LINES);
    for (int at = (lines.size() - 1) % stride; at < lines.size() && at >= 0; at += stride) {
      Step step = parse(lines.get(at));
      if (step != null) {
        while (!steps.isEmpty() && steps.get(steps.size() - 1).step() >= step.step()) {
          steps.remove(steps.size() - 1);
        }
        steps.add(step);
      }
    }
    return thinned(student, steps, points);
  }

  private static @Nullable Step parse(String line) {
    try {
      JsonObject json = JsonParser.parseString(line).getAsJsonObject();
      if (!json.has("step") || !json.has("tokens-seen")) {
        return null;
      }
      Map<String, Double> values = new LinkedHashMap<>();
      for (Map.Entry<String, JsonElement> entry : json.entrySet()) {
        if (!NOT_SHOWN.contains(entry.getKey())) {
          values.put(entry.getKey(), entry.getValue().getAsDouble());
        }
      }
      if (json.keySet().containsAll(List.of("seconds", "tokens", "wait-seconds"))) {
        double seconds = json.get("seconds").getAsDouble();
        values.put(SPEED, json.get("tokens").getAsDouble() / seconds);
        values.put(WAITING, json.get("wait-seconds").getAsDouble() / seconds);
      }
      return new Step(json.get("step").getAsLong(), json.get("tokens-seen").getAsDouble(), values);
    } catch (JsonParseException
        | IllegalStateException
        | NumberFormatException
        | UnsupportedOperationException e) { // the last one is for null
      return null;
    }
  }

  private static Curve thinned(String student, List<Step> steps, int points) {
    int size = Math.min(points, steps.size());
    long[] step = new long[size];
    double[] tokens = new double[size];
    Map<String, double[]> values = new LinkedHashMap<>();
    for (int point = 0; point < size; point++) {
      int from = (int) ((long) point * steps.size() / size);
      int to = (int) ((point + 1L) * steps.size() / size);
      step[point] = steps.get(to - 1).step();
      tokens[point] = steps.get(to - 1).tokensSeen();
      Map<String, double[]> sums = new LinkedHashMap<>();
      for (Step each : steps.subList(from, to)) {
        each.values()
            .forEach(
                (name, value) -> {
                  double[] sum = sums.computeIfAbsent(name, absent -> new double[2]);
                  sum[0] += value;
                  sum[1]++;
                });
      }
      int at = point;
      sums.forEach(
          (name, sum) -> values.computeIfAbsent(name, absent -> empty(size))[at] = sum[0] / sum[1]);
    }
    return new Curve(student, step, tokens, values);
  }

  private static double[] empty(int size) {
    double[] values = new double[size];
    Arrays.fill(values, Double.NaN);
    return values;
  }

  /** Returns the names of the loss and its terms. */
  List<String> losses() {
    return values.keySet().stream().filter(name -> !OTHERS.contains(name)).toList();
  }

  /** Returns the last finite value, or NaN if there is none. */
  double last(String name) {
    double[] all = values.getOrDefault(name, new double[0]);
    for (int at = all.length - 1; at >= 0; at--) {
      if (Double.isFinite(all[at])) {
        return all[at];
      }
    }
    return Double.NaN;
  }
}
