package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.config.Options;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files that a run left: those of {@code distill}, a directory of students, or a directory that
 * contains one.
 *
 * <p>A cache, an evaluation or a model that the recipe names is looked for inside the run's
 * directory first, then where the recipe says, then beside the run, so that a run can be moved.
 */
final class RunFiles {
  static final String DISTILL = "distill.json";
  private static final Logger LOG = LoggerFactory.getLogger(RunFiles.class);
  private static final String SWEEP = "sweep.json";

  private final Storage storage;
  private final Path run;
  private final @Nullable Path students;
  private final Map<String, String> recipe;

  private RunFiles(Storage storage, Path run, @Nullable Path students) throws IOException {
    this.storage = storage;
    this.run = run;
    this.students = students;
    this.recipe = new TreeMap<>();
    for (JsonObject training : trainings()) { // the last one is the newest
      recipe.putAll(texts(training, "recipe"));
    }
  }

  /**
   * Finds the files of a run.
   *
   * @throws StillhouseException if the directory does not exist, or no run has left anything in it
   */
  static RunFiles find(Storage storage, String given) throws IOException {
    Path run = storage.requireExisting("RUN", given);
    if (!storage.fileSystem(run).getFileStatus(run).isDirectory()) {
      throw Errors.invalid(
          format("RUN is '%s', which is a file", given),
          "name the directory that distill, train or sweep wrote, such as that of train.path");
    }
    if (isStudents(storage, run)) {
      return new RunFiles(storage, run, run);
    }
    List<Path> inside = new ArrayList<>();
    for (Path child : directories(storage, run)) {
      if (isStudents(storage, child)) {
        inside.add(child);
      }
    }
    if (inside.size() > 1) {
      throw Errors.invalid(
          format(
              "'%s' contains several directories of students: %s",
              given, String.join(", ", inside.stream().map(Path::getName).toList())),
          "name one of them");
    }
    if (inside.isEmpty() && !storage.exists(new Path(run, DISTILL)) && !isCache(storage, run)) {
      if (hasStudents(storage, run)) {
        return new RunFiles(storage, run, run);
      }
      boolean student = storage.exists(new Path(run, "training.json"));
      throw Errors.invalid(
          format(
              "'%s' contains no run: neither %s, nor a directory of students with their records",
              given, DISTILL),
          student
              ? "it is one student, so name the directory that contains it"
              : "name the directory that distill, train or sweep wrote, such as that of"
                  + " train.path");
    }
    return new RunFiles(storage, run, inside.isEmpty() ? null : inside.get(0));
  }

  /** Returns whether a directory is one of students, finished or not. */
  private static boolean isStudents(Storage storage, Path directory) throws IOException {
    for (FileStatus file : storage.fileSystem(directory).listStatus(directory)) {
      String name = file.getPath().getName();
      if (name.equals(SWEEP)
          || name.matches("train-.*\\.json")
          || name.equals("_metrics")
          || name.equals("_checkpoints")) {
        return true;
      }
    }
    return false;
  }

  /** Returns whether a directory contains students without the records of their commands. */
  private static boolean hasStudents(Storage storage, Path directory) throws IOException {
    for (Path child : directories(storage, directory)) {
      if (storage.exists(new Path(child, "training.json"))) {
        return true;
      }
    }
    return false;
  }

  private static boolean isCache(Storage storage, Path directory) throws IOException {
    return storage.exists(new Path(directory, CachePlan.FILE))
        && storage.exists(new Path(directory, "manifest"));
  }

  private static List<Path> directories(Storage storage, Path in) throws IOException {
    return Arrays.stream(storage.fileSystem(in).listStatus(in))
        .filter(FileStatus::isDirectory)
        .map(FileStatus::getPath)
        .filter(path -> !path.getName().startsWith("_") && !path.getName().startsWith("."))
        .sorted(Comparator.comparing(Path::getName))
        .toList();
  }

  Storage storage() {
    return storage;
  }

  Path run() {
    return run;
  }

  /** Returns the directory of students, or null if none was trained yet. */
  @Nullable Path students() {
    return students;
  }

  /** Returns the settings of the newest training, by key; empty if none has finished. */
  Map<String, String> recipe() {
    return recipe;
  }

  /** Returns the directories of the finished students, by name. */
  List<Path> finished() throws IOException {
    return students == null ? List.of() : directories(storage, students);
  }

  /** Returns the directory of the metrics that were written during training. */
  Optional<Path> metrics() throws IOException {
    if (students == null) {
      return Optional.empty();
    }
    Path inside = new Path(students, "_metrics");
    if (storage.exists(inside)) {
      return Optional.of(inside);
    }
    String named = recipe.getOrDefault(Options.METRICS.key(), "");
    return named.equals("none") ? Optional.empty() : named(named);
  }

  /** Returns the records of trainings and sweeps, the newest last. */
  List<JsonObject> trainings() throws IOException {
    if (students == null) {
      return List.of();
    }
    List<JsonObject> records = new ArrayList<>();
    for (FileStatus file :
        Arrays.stream(storage.fileSystem(students).listStatus(students))
            .filter(each -> each.getPath().getName().matches("train-.*\\.json|sweep\\.json"))
            .sorted(Comparator.comparingLong(FileStatus::getModificationTime))
            .toList()) {
      json(file.getPath()).ifPresent(records::add);
    }
    return records;
  }

  /** Returns the record of distill. */
  Optional<JsonObject> distill() {
    return json(new Path(run, DISTILL));
  }

  /** Returns the cache that the students were trained from. */
  Optional<Path> cache() throws IOException {
    return isCache(storage, run) ? Optional.of(run) : cache(Options.CACHE.key(), "cache");
  }

  /** Returns the cache of the held-out rows. */
  Optional<Path> validation() throws IOException {
    return cache(Options.VALIDATION.key(), "validation-cache");
  }

  private Optional<Path> cache(String key, String usual) throws IOException {
    String name = recipe.getOrDefault(key, students == null ? usual : "");
    Optional<Path> found = named(name);
    return found.isPresent() && isCache(storage, found.get()) ? found : Optional.empty();
  }

  /** Returns the file of the evaluation, which may be that of other students. */
  Optional<Path> evaluation() throws IOException {
    return named(recipe.getOrDefault(Options.EVALUATE_OUTPUT.key(), "evaluation.json"));
  }

  private Optional<Path> named(String name) throws IOException {
    if (name.isEmpty()) {
      return Optional.empty();
    }
    String last = new Path(name).getName();
    List<Path> places = new ArrayList<>(List.of(new Path(run, last)));
    try {
      places.add(storage.qualify(name));
    } catch (StillhouseException e) {
      LOG.warn("'{}' cannot be reached, so the report leaves it out", name, e);
    }
    if (run.getParent() != null) {
      places.add(new Path(run.getParent(), last));
    }
    for (Path place : places) {
      if (storage.exists(place)) {
        return Optional.of(place);
      }
    }
    return Optional.empty();
  }

  /** Reads a JSON file; empty if it is missing or damaged, which is logged. */
  Optional<JsonObject> json(Path file) {
    try {
      return storage.exists(file)
          ? Optional.of(JsonParser.parseString(storage.readText(file)).getAsJsonObject())
          : Optional.empty();
    } catch (IOException | JsonParseException | IllegalStateException e) {
      LOG.warn("'{}' cannot be read, so the report leaves it out", file, e);
      return Optional.empty();
    }
  }

  /** Returns the texts, numbers and truth values of a member of a JSON object, by name. */
  static Map<String, String> texts(JsonObject json, String member) {
    Map<String, String> texts = new TreeMap<>();
    JsonElement inner = json.get(member);
    if (inner != null && inner.isJsonObject()) {
      inner
          .getAsJsonObject()
          .asMap()
          .forEach(
              (key, value) -> {
                if (value.isJsonPrimitive()) {
                  texts.put(key, value.getAsString());
                }
              });
    }
    return texts;
  }
}
