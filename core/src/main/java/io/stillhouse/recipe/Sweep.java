package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The students of a sweep: each of {@code sweep.students}, combined with each value of {@code
 * sweep.over}.
 */
public final class Sweep {
  private static final Pattern SEEDED = Pattern.compile("(.*?)[_-]?seed-(-?\\d+)(.*)");

  private Sweep() {}

  /**
   * A student.
   *
   * @param name the student's name
   * @param values its own settings by key, in the order of {@link Options#ALL}
   */
  public record Student(String name, Map<String, String> values) {}

  /**
   * A name that contains a seed.
   *
   * @param group the name without the seed
   */
  public record Seeded(String group, long seed) {}

  /**
   * Parses the name that {@code sweep.over} gives to a student for one of several seeds, or to its
   * baseline.
   */
  public static Optional<Seeded> seeded(String name) {
    Matcher matcher = SEEDED.matcher(name);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String shared = matcher.group(1).isEmpty() ? "student" : matcher.group(1);
    try {
      return Optional.of(new Seeded(shared + matcher.group(3), Long.parseLong(matcher.group(2))));
    } catch (NumberFormatException e) { // too long for a seed
      return Optional.empty();
    }
  }

  /**
   * Returns the students of a recipe, or those that {@code sweep.only} names; empty if the recipe
   * describes no sweep.
   *
   * @throws io.stillhouse.error.StillhouseException if {@code sweep.only} names other students
   */
  public static List<Student> students(Settings settings) {
    List<Student> all = all(settings);
    List<String> only = settings.get(Options.SWEEP_ONLY);
    if (only.isEmpty()) {
      return all;
    }
    List<String> names = all.stream().map(Student::name).toList();
    List<String> unknown = only.stream().filter(name -> !names.contains(name)).toList();
    if (!unknown.isEmpty()) {
      throw Errors.invalid(
          format("sweep.only names %s, but the students of the sweep are %s", unknown, names),
          "choose from these");
    }
    return all.stream().filter(student -> only.contains(student.name())).toList();
  }

  private static List<Student> all(Settings settings) {
    Map<String, List<String>> over = settings.get(Options.SWEEP_OVER);
    List<Map<String, String>> listed = settings.get(Options.SWEEP_STUDENTS);
    if (over.isEmpty() && listed.isEmpty()) {
      return List.of();
    }
    Set<String> keys = new HashSet<>(over.keySet());
    listed.forEach(student -> keys.addAll(student.keySet()));
    Map<String, String> labels = labels(keys);
    List<Student> students = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Map<String, String> first :
        listed.isEmpty() ? List.of(Map.<String, String>of()) : listed) {
      Map<String, String> values = new LinkedHashMap<>(first);
      String given = values.remove(Options.STUDENT_NAME.key());
      for (Map<String, String> more : product(over)) {
        Map<String, String> all = new LinkedHashMap<>(values);
        all.putAll(more);
        List<String> parts = new ArrayList<>();
        if (given != null) {
          parts.add(given);
        }
        ordered(given == null ? all : more)
            .forEach((key, value) -> parts.add(labels.get(key) + "-" + plain(value)));
        String name = String.join("_", parts);
        students.add(
            new Student(
                unique(name.isEmpty() ? settings.get(Options.STUDENT_NAME) : name, names),
                ordered(all)));
      }
    }
    return students;
  }

  private static Map<String, String> ordered(Map<String, String> values) {
    Map<String, String> ordered = new LinkedHashMap<>();
    for (Option<?> option : Options.ALL) {
      if (values.containsKey(option.key())) {
        ordered.put(option.key(), values.get(option.key()));
      }
    }
    return ordered;
  }

  /** Returns every combination; the values of the last key vary fastest. */
  private static List<Map<String, String>> product(Map<String, List<String>> over) {
    List<Map<String, String>> all = List.of(Map.of());
    for (Option<?> option : Options.ALL) {
      if (!over.containsKey(option.key())) {
        continue;
      }
      List<Map<String, String>> longer = new ArrayList<>();
      for (Map<String, String> some : all) {
        for (String value : over.get(option.key())) {
          Map<String, String> one = new LinkedHashMap<>(some);
          one.put(option.key(), value);
          longer.add(one);
        }
      }
      all = longer;
    }
    return all;
  }

  /**
   * Returns short names of keys for students and tables: the last word, such as {@code
   * temperature}, or the term of a weight, such as {@code hidden-mse}. Keys with the same short
   * name keep all but their first word.
   */
  public static Map<String, String> labels(Collection<String> keys) {
    Map<String, String> labels =
        keys.stream().distinct().collect(Collectors.toMap(k -> k, Sweep::last));
    List<String> all = List.copyOf(labels.values());
    labels.replaceAll(
        (key, label) ->
            Collections.frequency(all, label) == 1 ? label : key.substring(key.indexOf('.') + 1));
    return labels;
  }

  private static String last(String key) {
    String[] words = key.split("\\.");
    String last = words[words.length - 1];
    return last.equals("weight") ? words[words.length - 2] : last;
  }

  /**
   * Returns a value with only the characters that a name may have; for a path, only the last part.
   */
  private static String plain(String value) {
    String path = value.replaceAll("/+$", "");
    String last = path.substring(path.lastIndexOf('/') + 1);
    String plain = last.replaceAll("[^A-Za-z0-9.]+", "-");
    return plain.replaceAll(value.matches("-\\d.*") ? "-$" : "^-|-$", "");
  }

  private static String unique(String name, Set<String> names) {
    String unique = name;
    for (int i = 2; !names.add(unique); i++) {
      unique = name + "-" + i;
    }
    return unique;
  }
}
