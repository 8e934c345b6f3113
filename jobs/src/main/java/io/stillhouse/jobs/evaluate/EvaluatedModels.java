package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelDirectory;
import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.TokenizerComparison;
import io.stillhouse.jobs.inference.Form;
import io.stillhouse.jobs.inference.LoadedModels;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.spec.ExportFormat;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * The models that are evaluated together: the teacher first, then students, which have its head and
 * vocabulary, in any form.
 */
final class EvaluatedModels {
  private final Storage storage;
  private final Settings settings;
  private final List<Entry> entries = new ArrayList<>();
  private final Head head;

  private record Entry(String name, ModelLocation location, ModelSpec spec, long bytes) {}

  /**
   * @param name the name of the first model in results
   * @param what what messages call it
   */
  private EvaluatedModels(
      Storage storage, Settings settings, String name, String what, Path teacher)
      throws IOException {
    this.storage = storage;
    this.settings = settings;
    add(name, ModelLocation.existing(storage, what, teacher.toString()));
    this.head =
        ModelCheck.of(settings, what, entries.get(0).spec())
            .requireHead("so there is nothing to evaluate")
            .requireReads()
            .head();
  }

  /**
   * Returns the models of a recipe: its teacher, or the teacher of a cache that {@code
   * teacher.name} names, then {@code evaluate.models} or else the students in {@code train.path},
   * then the forms in {@code evaluate.exports}.
   *
   * @throws io.stillhouse.error.StillhouseException if a model is missing or does not fit
   */
  static EvaluatedModels of(Storage storage, Settings settings) throws IOException {
    Path teacher = teacherPath(storage, settings);
    Models.openTeacher(storage.local(teacher)); // a teacher must be an encoder
    EvaluatedModels models =
        new EvaluatedModels(storage, settings, "teacher", "the teacher", teacher);
    for (ModelLocation student : models.students()) {
      models.addFitting(name(student), student);
    }
    return models;
  }

  /**
   * Returns the forms of a model, after its weights.
   *
   * @param forms paths of the forms by name, in order
   */
  static EvaluatedModels ofForms(
      Storage storage, Settings settings, Path weights, Map<String, Path> forms)
      throws IOException {
    EvaluatedModels models =
        new EvaluatedModels(storage, settings, FormEvaluation.WEIGHTS, "the student", weights);
    for (Map.Entry<String, Path> form : forms.entrySet()) {
      models.add(
          form.getKey(),
          ModelLocation.existing(storage, form.getKey(), form.getValue().toString()));
    }
    return models;
  }

  List<Evaluator.Candidate> candidates() {
    return entries.stream()
        .map(
            each ->
                new Evaluator.Candidate(
                    each.name(), each.location().path(), each.spec().parameterCount()))
        .toList();
  }

  List<ModelLocation> locations() {
    return entries.stream().map(Entry::location).toList();
  }

  List<SpeedStage.Model> shapes() {
    return entries.stream()
        .map(each -> new SpeedStage.Model(each.name(), each.location(), each.spec()))
        .toList();
  }

  /** Returns the size of each model's files of weights, by name. */
  Map<String, Long> bytes() {
    Map<String, Long> bytes = new LinkedHashMap<>();
    entries.forEach(each -> bytes.put(each.name(), each.bytes()));
    return bytes;
  }

  /** Returns the teacher's head, with the class names of the recipe if it has some. */
  Head head() {
    return head;
  }

  private static Path teacherPath(Storage storage, Settings settings) throws IOException {
    String name = settings.get(Options.TEACHER_NAME);
    if (name.isEmpty()) {
      return storage.requireExisting("teacher.path", settings.get(Options.TEACHER));
    }
    Path cache = storage.requireExisting("cache.path", settings.get(Options.CACHE));
    CacheReader.teacher(storage, cache, name);
    return TeacherFolder.model(cache, name);
  }

  private List<ModelLocation> students() throws IOException {
    List<ModelLocation> students = new ArrayList<>();
    for (String named : settings.get(Options.EVALUATE_MODELS)) {
      students.add(ModelLocation.existing(storage, "evaluate.models", named));
    }
    Path trained = storage.qualify(settings.get(Options.TRAIN_PATH));
    List<String> exports = settings.get(Options.EVALUATE_EXPORTS);
    if (students.isEmpty() && exports.isEmpty() && storage.exists(trained)) {
      Arrays.stream(storage.fileSystem(trained).listStatus(trained))
          .filter(FileStatus::isDirectory)
          .map(FileStatus::getPath)
          .filter(path -> !path.getName().startsWith("_"))
          .sorted(Comparator.comparing(Path::getName))
          .map(ModelLocation::ofDirectory)
          .forEach(students::add);
    }
    for (String export : exports) {
      students.addAll(forms(storage.requireExisting("evaluate.exports", export), export));
    }
    return students;
  }

  /** Returns the forms in an exported directory that can be computed here. */
  private List<ModelLocation> forms(Path directory, String given) throws IOException {
    List<ModelLocation> forms = new ArrayList<>();
    for (ExportFormat format : ExportFormat.values()) {
      if (format == ExportFormat.NCNN || !storage.exists(new Path(directory, format.file()))) {
        continue;
      }
      forms.add(
          format == ExportFormat.HUGGINGFACE
              ? ModelLocation.ofDirectory(directory)
              : ModelLocation.parse(new Path(directory, format.file()).toString()));
    }
    if (forms.isEmpty()) {
      throw Errors.invalid(
          format("evaluate.exports names '%s', which contains no exported form", given),
          "name a directory that export wrote, or use evaluate.models for others");
    }
    return forms;
  }

  /** Returns the name of a model in results: its directory's and, if it is a file, its form. */
  private static String name(ModelLocation location) {
    String directory = new Path(location.directory()).getName();
    return location.form() == Form.WEIGHTS
        ? directory
        : format("%s (%s)", directory, location.form().id());
  }

  private ModelSpec add(String name, ModelLocation location) throws IOException {
    for (Entry known : entries) {
      if (known.name().equals(name)) {
        throw Errors.invalid(
            format(
                "two models have the name '%s': '%s' and '%s', but results are listed by" + " name",
                name, known.location().path(), location.path()),
            "rename one of the directories");
      }
    }
    ModelSpec spec =
        location.form() == Form.WEIGHTS
            ? ModelDirectory.open(Models.copy(location.directory())).spec()
            : LoadedModels.spec(location);
    entries.add(new Entry(name, location, spec, bytes(location)));
    return spec;
  }

  private long bytes(ModelLocation location) throws IOException {
    if (location.form() != Form.WEIGHTS) {
      return storage.bytes(new Path(location.path()));
    }
    long bytes = 0;
    for (java.nio.file.Path file : ModelFiles.weightFiles(Models.copy(location.directory()))) {
      bytes += Files.size(file);
    }
    return bytes;
  }

  private void addFitting(String name, ModelLocation location) throws IOException {
    ModelSpec spec = add(name, location);
    requireSameHead(name, spec);
    requireSameTokens(location);
    if (!head.task().pooled() && location.form() != Form.WEIGHTS) {
      throw Errors.invalid(
          format("'%s' is a masked LM, which is evaluated by its weights only", location.path()),
          "name its directory instead");
    }
  }

  /** Requires that a model predicts the teacher's classes for the same rows. */
  private void requireSameHead(String name, ModelSpec spec) {
    ModelSpec teacher = entries.get(0).spec();
    if (spec.head().task() != teacher.head().task() || spec.vocabSize() != teacher.vocabSize()) {
      throw Errors.invalid(
          format(
              "%s does not predict what the teacher predicts: its head is %s and it has %d tokens,"
                  + " but the teacher's is %s and it has %d",
              name,
              ModelCheck.described(spec.head()),
              spec.vocabSize(),
              ModelCheck.described(teacher.head()),
              teacher.vocabSize()),
          "only evaluate models with the same head and vocabulary together");
    }
    Head own = ModelCheck.of(settings, name, spec).requireReads().head();
    if (!own.equals(head)) {
      throw Errors.invalid(
          format(
              "%s has the classes %s, but the teacher %s",
              name, ClassNames.shown(own.labels()), ClassNames.shown(head.labels())),
          "evaluate models with the same classes in the same order together; if only their names"
              + " differ, set corpus.classes");
    }
  }

  private void requireSameTokens(ModelLocation model) throws IOException {
    Optional<String> difference =
        TokenizerComparison.difference(
            Models.copy(entries.get(0).location().directory()),
            Models.copy(model.directory()),
            List.of());
    if (difference.isPresent()) {
      throw Errors.invalid(
          format(
              "'%s' has a different tokenizer than the teacher (%s), whose tokens all models read",
              model.directory(), difference.get()),
          "only evaluate models with the same vocabulary and casing together");
    }
  }
}
