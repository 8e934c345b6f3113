package io.stillhouse.jobs.train.sweep;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.recipe.Stage;
import io.stillhouse.jobs.train.recipe.StudentRuns;
import io.stillhouse.jobs.train.recipe.TrainingCache;
import io.stillhouse.jobs.train.student.HadoopCheckpoints;
import io.stillhouse.jobs.train.student.History;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.Sweep;
import io.stillhouse.spec.Metric;
import io.stillhouse.train.Lockstep;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;

/**
 * The students of a sweep, all of which are checked before any is trained, and their grouping into
 * tasks.
 */
final class SweepStudents {
  private static final Set<String> CHANGING_LOSS_SUM =
      Set.of(Options.STUDENT_LAYERS.key(), Options.LAYER_MAP.key());

  private final Stage stage;
  private final Settings settings;
  private final Storage storage;
  private final TrainingCache cache;
  private final StudentRuns studentRuns;
  private final Halving halving;
  private final List<Sweep.Student> students;
  private final List<StudentRun> runs = new ArrayList<>();
  private final Map<String, Map<String, String>> values = new HashMap<>();
  private final Set<String> notes = new LinkedHashSet<>(); // many students, one note

  /**
   * Checks the recipe of every student against the cache; nothing is written yet.
   *
   * @throws io.stillhouse.error.StillhouseException with every problem of every student
   */
  SweepStudents(Storage storage, Stage stage) throws IOException {
    this.stage = stage;
    this.settings = stage.settings();
    this.storage = storage;
    this.students = Sweep.students(settings);
    if (students.isEmpty()) {
      throw Errors.invalid(
          "sweep.over and sweep.students are empty",
          "set what differs, such as sweep.over.student.layers='[2, 4]'");
    }
    this.cache = TrainingCache.open(storage, settings);
    cache.requireNoWindow(
        "a student of a sweep that fails or is left out would keep it from advancing");
    this.studentRuns = new StudentRuns(storage, cache);
    Map<String, List<String>> problems = new LinkedHashMap<>();
    for (Sweep.Student student : students) {
      gather(problems, student.name(), () -> runs.addAll(runsOf(student)));
    }
    Path directory = storage.qualify(settings.get(Options.TRAIN_PATH));
    this.halving = new Halving(storage, directory, Halving.Rule.of(settings), runs);
    gather(problems, "", () -> halving.requireRows(cache));
    gather(problems, "", this::requireNoBaselinesInHalving);
    gather(problems, "", this::requireAllInHalving);
    gather(problems, "", this::columns); // reports a metric of another task
    for (StudentRun run : runs) {
      gather(problems, run.name(), () -> TrainedStudent.finished(storage, run));
      gather(problems, run.name(), () -> halving.requireMeasurable(run));
    }
    if (problems.isEmpty()) {
      gather(problems, "", () -> requireNames(runs));
      gather(problems, "", () -> requireOneHistory(runs));
    }
    if (!problems.isEmpty()) {
      throw Errors.all(messages(problems, students.size()));
    }
  }

  /** Returns the students in the recipe's order; threads are 0 if it does not set them. */
  List<StudentRun> runs() {
    return runs;
  }

  /** Returns the teacher whose targets the cache holds. */
  HuggingFaceDirectory teacher() {
    return cache.teacher();
  }

  /** Returns the settings that only this student has, by key; its baseline has the same. */
  Map<String, String> values(String name) {
    return values.getOrDefault(name, Map.of());
  }

  /** Returns the measurements on the validation rows that tables show, in order. */
  List<String> columns() {
    List<Metric> metrics = Recipe.metrics(settings, cache.teacher().spec().head().task());
    boolean named = !settings.get(Options.EVALUATE_METRICS).isEmpty();
    List<String> columns = new ArrayList<>(List.of("loss", "agreement"));
    metrics
        .subList(0, named ? metrics.size() : Math.min(1, metrics.size()))
        .forEach(metric -> columns.add(metric.id()));
    return columns;
  }

  /**
   * Returns notes for the user.
   *
   * @param started the students with their starts, which are compared to find equal students
   */
  List<String> notes(List<StudentRun> started) {
    Set<String> all = new LinkedHashSet<>(notes);
    addEqualStudents(started, all);
    addIncomparableLosses(all);
    return List.copyOf(all);
  }

  Halving halving() {
    return halving;
  }

  /** Returns whether this run trains only the students that {@code sweep.only} names. */
  boolean isPartial() {
    return !settings.get(Options.SWEEP_ONLY).isEmpty();
  }

  /** Returns the number of rows that a student is trained on in an epoch. */
  long rows(StudentRun run) {
    return cache.rows(run);
  }

  /** Returns how many tasks train at once if there are enough cores for all. */
  int tasks() {
    return groups(runs).stream().mapToInt(group -> group.get(0).train().rounds().workers()).sum();
  }

  /** Groups students that may share a task. */
  List<List<StudentRun>> groups(List<StudentRun> students) {
    int limit = settings.get(Options.STUDENTS_PER_TASK);
    List<List<StudentRun>> groups = new ArrayList<>();
    for (StudentRun run : students) {
      groups.stream()
          .filter(group -> group.size() < limit && canShareTask(group.get(0), run))
          .findFirst()
          .orElseGet(
              () -> {
                groups.add(new ArrayList<>());
                return groups.get(groups.size() - 1);
              })
          .add(run);
    }
    return groups;
  }

  private static boolean canShareTask(StudentRun one, StudentRun two) {
    return !one.train().rounds().used()
        && !two.train().rounds().used()
        && one.train().run().threads() == two.train().run().threads()
        && Lockstep.sameRows(one.train(), two.train())
        && one.paths().joined().readsSameRowsAs(two.paths().joined());
  }

  private List<StudentRun> runsOf(Sweep.Student student) throws IOException {
    Map<String, String> studentValues = new TreeMap<>(student.values());
    studentValues.put(Options.STUDENT_NAME.key(), student.name());
    studentValues.put(Options.SWEEP_OVER.key(), "{}");
    studentValues.put(Options.SWEEP_STUDENTS.key(), "[]");
    studentValues.put(Options.SWEEP_ONLY.key(), "[]");
    studentValues.putAll(stage.values());
    Settings recipe = Recipe.requireStudent(Recipe.shrink(settings.with(studentValues)));
    StudentRuns.OfRecipe created = studentRuns.of(recipe, baselines(), stage);
    created.runs().forEach(run -> values.put(run.name(), student.values()));
    notes.addAll(created.notes());
    return created.runs();
  }

  /** Returns whether the recipe asks for baselines; by default, a sweep only compares students. */
  private boolean baselines() {
    return settings.has(Options.BASELINE) && settings.get(Options.BASELINE);
  }

  private void requireNoBaselinesInHalving() {
    if (baselines() && !halving.pauses().isEmpty()) {
      throw Errors.invalid(
          format(
              "train.baseline is true, but sweep.halving.at is %s, and baselines do not compete"
                  + " with their students",
              halving.pauses()),
          "remove one of them, and train the baselines of the remaining students with train");
    }
  }

  /** Requires all students if they compete with each other. */
  private void requireAllInHalving() {
    if (isPartial() && !halving.pauses().isEmpty()) {
      throw Errors.invalid(
          format(
              "sweep.only is %s, but sweep.halving.at is %s, and halving compares all students",
              settings.get(Options.SWEEP_ONLY), halving.pauses()),
          "remove one of them");
    }
  }

  private static void requireNames(List<StudentRun> planned) {
    Set<String> names = new HashSet<>();
    for (StudentRun run : planned) {
      if (!names.add(run.name())) {
        throw Errors.invalid(
            format("a student and another's baseline are both called '%s'", run.name()),
            "choose a different name for the student in sweep.students");
      }
    }
  }

  /** Checks that no checkpoint is past a pause without a decision. */
  private void requireOneHistory(List<StudentRun> planned) throws IOException {
    for (int at : halving.pauses()) {
      if (halving.readDecision(at).isPresent()) {
        continue;
      }
      for (StudentRun run : planned) {
        long step = new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).newestStep();
        if (step > at) {
          throw Errors.invalid(
              format(
                  "'%s' has a checkpoint of step %d, past the pause at %d, which has no decision"
                      + " yet",
                  run.name(), step, at),
              format("set another train.path, or delete '%s'", run.checkpoints()));
        }
      }
      return;
    }
  }

  private static void addEqualStudents(List<StudentRun> runs, Set<String> notes) {
    Map<String, String> first = new HashMap<>();
    for (StudentRun run : runs) {
      String other = first.putIfAbsent(run.fingerprint(), run.name());
      if (other != null) {
        notes.add(format("%s and %s are the same student", other, run.name()));
      }
    }
  }

  /** Adds a note if students are ranked by losses whose terms, weights or layers differ. */
  private void addIncomparableLosses(Set<String> notes) {
    Set<String> keys = new TreeSet<>();
    students.forEach(student -> keys.addAll(student.values().keySet()));
    keys.removeIf(key -> !key.startsWith("loss.") && !CHANGING_LOSS_SUM.contains(key));
    if (!halving.pauses().isEmpty() && halving.by().equals("loss") && !keys.isEmpty()) {
      notes.add(
          format(
              "sweep.halving.by is loss, which is not comparable between students that differ in"
                  + " %s; rank by a term, accuracy or agreement",
              String.join(", ", keys)));
    }
  }

  private interface Check {
    void run() throws IOException;
  }

  private static void gather(Map<String, List<String>> problems, String name, Check check)
      throws IOException {
    try {
      check.run();
    } catch (StillhouseException e) {
      e.problems().forEach(p -> problems.computeIfAbsent(p, n -> new ArrayList<>()).add(name));
    }
  }

  /** Returns the problems, each with the names of its students unless all students have it. */
  private static List<String> messages(Map<String, List<String>> problems, int students) {
    List<String> messages = new ArrayList<>();
    problems.forEach(
        (problem, names) ->
            messages.add(
                names.contains("") || names.size() == students
                    ? problem
                    : String.join(", ", names) + ": " + problem));
    return messages;
  }
}
