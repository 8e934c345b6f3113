package io.stillhouse.jobs.export;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.layout.Fingerprints;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The origin of a student: the records of its training, its cache and its evaluation. A record is
 * missing if its file is damaged, or not where the training wrote it, for example because the
 * student's directory was moved.
 *
 * @param training the record in the student's directory; null for a model that was not trained here
 * @param recipe the settings of the training that differ from the defaults, by key
 * @param teacher the teacher; null if the cache is not found
 * @param corpus the corpus; null if the cache is not found
 * @param evaluation the evaluation of the recipe, if it includes the student; null if there is none
 */
record Provenance(
    @Nullable TrainedStudent training,
    Map<String, String> recipe,
    @Nullable Teacher teacher,
    @Nullable Corpus corpus,
    @Nullable Evaluation evaluation) {
  private static final Logger LOG = LoggerFactory.getLogger(Provenance.class);

  /**
   * The teacher of the cache.
   *
   * @param path the directory that the recipe names, or "" if it names none
   * @param sha256 one hash over its files
   */
  record Teacher(String path, String sha256) {}

  /**
   * The corpus of the cache.
   *
   * @param files the names of its files
   * @param sha256 one hash over its files
   */
  record Corpus(List<String> files, String sha256, long rows, long tokens) {}

  /** Reads what is recorded about a student. */
  static Provenance of(Storage storage, Path student) {
    TrainedStudent training = training(storage, student);
    Map<String, String> all = recipe(storage, student);
    Map<String, String> recipe = new TreeMap<>();
    for (Option<?> option : Options.ALL) {
      String value = all.get(option.key());
      if (value != null && !value.equals(option.defaultValue())) {
        recipe.put(option.key(), value);
      }
    }
    CachePlan plan = plan(storage, all.getOrDefault(Options.CACHE.key(), ""));
    Teacher teacher = null;
    Corpus corpus = null;
    if (plan != null) {
      teacher =
          new Teacher(
              all.getOrDefault(Options.TEACHER.key(), ""),
              plan.fingerprints().getOrDefault(Fingerprints.TEACHER, ""));
      corpus =
          new Corpus(
              plan.corpusFiles().stream().map(CorpusFile::name).toList(),
              plan.fingerprints().getOrDefault(Fingerprints.CORPUS, ""),
              plan.corpus().rows(),
              plan.corpus().tokens());
    }
    Evaluation evaluation = training == null ? null : evaluation(storage, student, all);
    return new Provenance(training, recipe, teacher, corpus, evaluation);
  }

  private static @Nullable TrainedStudent training(Storage storage, Path student) {
    try {
      return TrainedStudent.read(storage, student)
          .filter(read -> areKnown(read.name(), read.training(), read.losses()))
          .orElse(null);
    } catch (IOException | JsonParseException e) {
      warn(student, e);
      return null;
    }
  }

  /** Returns whether a JSON file contained values for all fields. */
  private static boolean areKnown(@Nullable Object... fields) {
    return Stream.of(fields).allMatch(Objects::nonNull);
  }

  private static void warn(Path file, Exception e) {
    LOG.warn("'{}' cannot be read, so the model card omits its contents", file, e);
  }

  /** Returns the settings that the training, or the sweep, recorded beside the student. */
  private static Map<String, String> recipe(Storage storage, Path student) {
    for (String name : List.of(format("train-%s.json", student.getName()), "sweep.json")) {
      JsonObject record = json(storage, new Path(student.getParent(), name)).orElse(null);
      if (record != null && record.has("recipe") && record.get("recipe").isJsonObject()) {
        Map<String, String> recipe = new TreeMap<>();
        record
            .getAsJsonObject("recipe")
            .entrySet()
            .forEach(
                entry -> {
                  if (entry.getValue().isJsonPrimitive()) {
                    recipe.put(entry.getKey(), entry.getValue().getAsString());
                  }
                });
        return recipe;
      }
    }
    return Map.of();
  }

  private static @Nullable CachePlan plan(Storage storage, String cache) {
    if (cache.isEmpty()) {
      return null;
    }
    try {
      Path path = storage.qualify(cache);
      return storage.exists(new Path(path, CachePlan.FILE)) ? CachePlan.read(storage, path) : null;
    } catch (IOException | StillhouseException e) {
      warn(new Path(cache), e);
      return null;
    }
  }

  private static @Nullable Evaluation evaluation(
      Storage storage, Path student, Map<String, String> recipe) {
    String output = recipe.getOrDefault(Options.EVALUATE_OUTPUT.key(), "");
    Optional<JsonObject> json =
        output.isEmpty() ? Optional.empty() : json(storage, storage.qualify(output));
    if (json.isEmpty()) {
      return null;
    }
    try {
      Evaluation evaluation = Storage.JSON.fromJson(json.get(), Evaluation.class);
      String path = storage.qualify(student.toString()).toString();
      return areKnown(
                  evaluation.models(),
                  evaluation.comparisons(),
                  evaluation.data(),
                  evaluation.speed())
              && evaluation.models().stream().anyMatch(model -> path.equals(model.path()))
          ? evaluation
          : null;
    } catch (JsonParseException e) {
      warn(new Path(output), e);
      return null;
    }
  }

  /** Reads a JSON file; empty if it is missing or not valid JSON. */
  private static Optional<JsonObject> json(Storage storage, Path file) {
    try {
      return storage.exists(file)
          ? Optional.of(JsonParser.parseString(storage.readText(file)).getAsJsonObject())
          : Optional.empty();
    } catch (IOException | JsonParseException | IllegalStateException e) {
      warn(file, e);
      return Optional.empty();
    }
  }
}
