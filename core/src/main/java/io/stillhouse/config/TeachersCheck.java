package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** The keys of an additional teacher in {@code loss.teachers}, and a check of their values. */
public final class TeachersCheck {
  public static final String NAME = Options.STUDENT_NAME.key(); // SweepText expands "name"
  public static final String CACHE = "cache";
  public static final String TEACHER = "teacher";
  public static final String WEIGHT = "weight";
  public static final String MAP = "layer-map";
  public static final String TERMS = "terms";
  private static final List<String> KEYS = List.of("name", CACHE, TEACHER, WEIGHT, MAP, TERMS);
  public static final String SOFT_LABEL = "soft-label";

  /** The weights of the terms that a teacher can contribute to, by the name of the term. */
  public static final Map<String, Option<Double>> WEIGHTS = weights();

  private static Map<String, Option<Double>> weights() {
    Map<String, Option<Double>> weights = new LinkedHashMap<>();
    Stream.of(
            Options.SOFT_WEIGHT,
            Options.COSINE_WEIGHT,
            Options.HIDDEN_WEIGHT,
            Options.EMBEDDING_WEIGHT,
            Options.FIRST_TOKEN_WEIGHT,
            Options.ATTENTION_WEIGHT,
            Options.ATTENTION_KL_WEIGHT,
            Options.QUERY_WEIGHT,
            Options.KEY_WEIGHT,
            Options.VALUE_WEIGHT)
        .forEach(option -> weights.put(option.key().split("\\.")[1], option));
    return Collections.unmodifiableMap(weights);
  }

  private TeachersCheck() {}

  /** Returns every problem with the values of {@link Options#TEACHERS}. */
  static List<String> problems(List<Map<String, String>> teachers) {
    List<String> problems = new ArrayList<>();
    Set<String> names = new HashSet<>();
    Map<List<String>, String> places = new HashMap<>();
    for (Map<String, String> values : teachers) {
      String name = values.getOrDefault(NAME, "");
      if (name.isEmpty()) {
        problems.add(
            "a teacher of loss.teachers has no name; name each teacher, such as name = large");
      } else if (!names.add(name)) {
        problems.add(
            format("loss.teachers names '%s' twice; give each teacher a different name", name));
      }
      for (String key : values.keySet()) {
        if (!key.equals(NAME) && !KEYS.contains(key)) {
          problems.add(Keys.unknown(key, format(" of teacher '%s' in loss.teachers", name), KEYS));
        }
      }
      String cache = values.getOrDefault(CACHE, "");
      String teacher = values.getOrDefault(TEACHER, "");
      if (cache.isEmpty() && teacher.isEmpty()) {
        problems.add(
            format(
                "teacher '%s' in loss.teachers has neither cache nor teacher; set cache to its"
                    + " cache, or teacher to another teacher of cache.path",
                name));
      }
      String other = places.putIfAbsent(List.of(cache, teacher), name);
      if (other != null) {
        problems.add(
            format(
                "teachers '%s' and '%s' in loss.teachers are the same teacher; remove one, or add"
                    + " up their weights",
                other, name));
      }
      valueProblems(name, values, problems);
    }
    return problems;
  }

  private static void valueProblems(
      String name, Map<String, String> values, List<String> problems) {
    String where = format("teacher '%s' in loss.teachers", name);
    if (values.containsKey(WEIGHT)) {
      Options.TEACHER_WEIGHT.problem(WEIGHT, where, values.get(WEIGHT)).ifPresent(problems::add);
    }
    if (values.containsKey(MAP)) {
      Options.LAYER_MAP.problem(MAP, where, values.get(MAP)).ifPresent(problems::add);
    }
    List<String> terms = SweepText.split(values.getOrDefault(TERMS, SOFT_LABEL));
    if (terms.isEmpty() || !WEIGHTS.keySet().containsAll(terms)) {
      problems.add(
          format(
              "terms in %s must be some of %s, but are '%s'",
              where, String.join(", ", WEIGHTS.keySet()), values.get(TERMS)));
    }
  }
}
