package io.stillhouse.config;

import static io.stillhouse.error.Text.format;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Checks the settings that a sweep gives its students. */
final class SweepCheck {
  /** Train keys that all students of a sweep share. */
  private static final Set<String> COMMON =
      Set.of(
          Options.TRAIN_PATH.key(),
          Options.METRICS.key(),
          Options.VALIDATION.key(),
          Options.STAGES.key(),
          Options.BASELINE.key());

  /** The maximum number of students, so that the result table stays readable. */
  private static final int MAX_STUDENTS = 1_000;

  private static final List<String> ALLOWED_PREFIXES = List.of("student.", "loss.", "train.");

  private final Map<String, List<String>> over;
  private final List<Map<String, String>> students;
  private final Set<String> problems = new TreeSet<>();

  SweepCheck(Map<String, List<String>> over, List<Map<String, String>> students) {
    this.over = over;
    this.students = students;
  }

  /** Returns every problem once. */
  List<String> problems() {
    over.forEach(this::checkList);
    for (Map<String, String> student : students) {
      student.forEach((key, value) -> check("sweep.students", key, value));
      for (String key : student.keySet()) {
        if (over.containsKey(key) && !key.equals(Options.STUDENT_NAME.key())) {
          problems.add(
              format(
                  "'%s' is in sweep.over and in sweep.students; remove it from one of them", key));
        }
      }
    }
    if (problems.isEmpty() && size(over, students) > MAX_STUDENTS) {
      problems.add(
          format(
              "sweep.over and sweep.students define %,d students, but at most %,d are allowed;"
                  + " remove values",
              size(over, students), MAX_STUDENTS));
    }
    if (problems.isEmpty()) {
      checkNames();
    }
    return List.copyOf(problems);
  }

  private void checkList(String key, List<String> values) {
    if (values.isEmpty()) {
      problems.add(
          format(
              "sweep.over.%s must be a list of values, but is empty; add values, or remove the key",
              key));
    }
    if (key.equals(Options.STUDENT_NAME.key())) {
      problems.add(
          "'student.name' cannot be in sweep.over, because its students are named after their"
              + " values; name students in sweep.students");
      return;
    }
    Set<Object> seen = new HashSet<>();
    for (String value : values) {
      Object parsed = check("sweep.over", key, value);
      if (parsed != null && !seen.add(parsed)) {
        problems.add(
            format(
                "sweep.over.%s contains '%s' twice, but each combination is trained once; remove"
                    + " one",
                key, value));
      }
    }
    if (values.isEmpty()) {
      check("sweep.over", key, null);
    }
  }

  private void checkNames() {
    Map<String, Long> named =
        students.stream()
            .map(student -> student.get(Options.STUDENT_NAME.key()))
            .filter(name -> name != null)
            .collect(Collectors.groupingBy(n -> n, LinkedHashMap::new, Collectors.counting()));
    named.forEach(
        (name, times) -> {
          if (times > 1) {
            problems.add(
                format(
                    "sweep.students names '%s' %d times; give each student a different name",
                    name, times));
          }
        });
    List<Map<String, String>> values = new ArrayList<>();
    for (Map<String, String> student : students) {
      Map<String, String> studentValues = new LinkedHashMap<>(student);
      studentValues.remove(Options.STUDENT_NAME.key());
      if (values.contains(studentValues)) {
        problems.add(
            format(
                "sweep.students contains %s twice, but each student is trained once; remove one",
                studentValues));
      }
      values.add(studentValues);
    }
  }

  /** Returns the parsed value, or null if the key or the value is invalid. */
  private @Nullable Object check(String where, String key, @Nullable String value) {
    Option<?> option = Keys.find(key);
    if (option == null) {
      problems.add(Keys.unknownIn(where, key));
      return null;
    }
    if (COMMON.contains(key) || ALLOWED_PREFIXES.stream().noneMatch(key::startsWith)) {
      problems.add(
          format(
              "'%s' cannot be in %s, because all students of a sweep share it; set it outside, and"
                  + " run one sweep for each value",
              key, where));
      return null;
    }
    return value == null ? null : parsed(where, option, value);
  }

  private <T> @Nullable T parsed(String where, Option<T> option, String text) {
    Optional<String> problem = option.problem(where, text);
    problem.ifPresent(problems::add);
    return problem.isPresent() ? null : option.parser().apply(text);
  }

  private static long size(Map<String, List<String>> over, List<Map<String, String>> students) {
    double size = Math.max(1, students.size());
    for (List<String> values : over.values()) {
      size *= values.size();
    }
    return (long) size;
  }
}
