package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.Speed;
import io.stillhouse.jobs.storage.Completeness;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.Baseline;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Collects the models of a run from the records of its evaluation, its trainings and its sweep. */
final class ModelReader {
  private static final Logger LOG = LoggerFactory.getLogger(ModelReader.class);

  private final RunFiles files;
  private final @Nullable Evaluation evaluation;
  private final Map<String, TrainedStudent> trained = new LinkedHashMap<>();
  private final Map<String, String> ended = new LinkedHashMap<>();

  ModelReader(RunFiles files) throws IOException {
    this.files = files;
    for (Path student : files.finished()) {
      readTraining(student).ifPresent(each -> trained.put(student.getName(), each));
    }
    this.evaluation = readEvaluation().orElse(null);
    for (JsonObject record : files.trainings()) {
      readSweep(record);
    }
  }

  /** Returns the evaluation of the run's students, if there is one. */
  Optional<Evaluation> evaluation() {
    return Optional.ofNullable(evaluation);
  }

  private Optional<TrainedStudent> readTraining(Path student) throws IOException {
    try {
      return TrainedStudent.read(files.storage(), student).filter(Completeness::isComplete);
    } catch (JsonParseException e) {
      LOG.warn("The record of '{}' cannot be read, so the report leaves it out", student, e);
      return Optional.empty();
    }
  }

  private Optional<Evaluation> readEvaluation() throws IOException {
    Optional<JsonObject> json = files.evaluation().flatMap(files::json);
    try {
      return json.map(each -> Storage.JSON.fromJson(each, Evaluation.class))
          .filter(Completeness::isComplete)
          .filter(read -> !read.models().isEmpty())
          .filter(
              read -> read.models().stream().anyMatch(model -> trained.containsKey(model.name())));
    } catch (JsonParseException e) {
      return Optional.empty();
    }
  }

  /** Notes how the students of a sweep ended that were not trained to their last step. */
  private void readSweep(JsonObject record) {
    JsonElement result = record.get("result");
    if (result == null || !result.isJsonObject() || !result.getAsJsonObject().has("students")) {
      return;
    }
    for (JsonElement row : result.getAsJsonObject().getAsJsonArray("students")) {
      JsonObject student = row.getAsJsonObject();
      if (student.has("status") && !student.get("status").getAsString().equals("TRAINED")) {
        String problem = student.has("problem") ? ": " + student.get("problem").getAsString() : "";
        ended.put(
            student.get("name").getAsString(),
            student.get("status").getAsString().toLowerCase(Locale.ROOT) + problem);
      }
    }
  }

  /** Returns the teacher, if it was evaluated, and all students, by name. */
  List<ReportModel> models() throws IOException {
    List<ReportModel> models = new ArrayList<>();
    Set<String> names = new LinkedHashSet<>(trained.keySet());
    names.addAll(ended.keySet());
    names.addAll(unfinished());
    if (evaluation != null) {
      Evaluation.Model teacher = evaluation.models().get(0);
      models.add(model(teacher.name(), ReportModel.Role.TEACHER, teacher));
      evaluation.models().stream().skip(1).forEach(model -> names.add(model.name()));
      names.remove(teacher.name());
    }
    for (String name : names) {
      boolean baseline = names.stream().anyMatch(student -> Baseline.name(student).equals(name));
      models.add(
          model(
              name,
              baseline ? ReportModel.Role.BASELINE : ReportModel.Role.STUDENT,
              evaluated(name)));
    }
    return models;
  }

  private Evaluation.@Nullable Model evaluated(String name) {
    return evaluation == null
        ? null
        : evaluation.models().stream()
            .filter(model -> model.name().equals(name))
            .findFirst()
            .orElse(null);
  }

  /** Returns the students that have metrics or checkpoints, but no finished directory. */
  private List<String> unfinished() throws IOException {
    List<String> names = new ArrayList<>();
    Path students = files.students();
    if (students == null) {
      return names;
    }
    for (String folder : List.of("_metrics", "_checkpoints")) {
      Path directory = new Path(students, folder);
      if (files.storage().exists(directory)) {
        Arrays.stream(files.storage().fileSystem(directory).listStatus(directory))
            .filter(FileStatus::isDirectory)
            .map(each -> each.getPath().getName())
            .filter(name -> !trained.containsKey(name))
            .sorted()
            .forEach(names::add);
      }
    }
    return names;
  }

  private ReportModel model(
      String name, ReportModel.Role role, Evaluation.@Nullable Model evaluated) {
    TrainedStudent training = trained.get(name);
    boolean teacher = role == ReportModel.Role.TEACHER;
    long parameters =
        evaluated != null ? evaluated.parameters() : training == null ? 0 : training.parameters();
    Long bytes = evaluation == null ? null : evaluation.bytes().get(name);
    Map<String, Double> metrics =
        evaluated != null
            ? evaluated.metrics()
            : training == null ? Map.of() : training.losses().validation();
    return new ReportModel(
        name,
        role,
        teacher || training != null || evaluated != null
            ? status(evaluated)
            : ended.getOrDefault(name, "in progress"),
        new ReportModel.Size(parameters, bytes),
        new ReportModel.Quality(
            metrics,
            evaluated == null ? Map.of() : evaluated.standardErrors(),
            evaluated == null ? null : evaluated.retention(),
            false),
        latency(name),
        teacher ? null : training);
  }

  private static String status(Evaluation.@Nullable Model evaluated) {
    return evaluated != null && evaluated.notFiniteRows() > 0
        ? format("not finite for %,d rows", evaluated.notFiniteRows())
        : "trained";
  }

  private ReportModel.@Nullable Latency latency(String name) {
    if (evaluation == null || evaluation.speed().isEmpty()) {
      return null;
    }
    List<Speed> speed = evaluation.speed();
    Optional<Speed> own =
        speed.stream()
            .filter(each -> each.model().equals(name) || name.startsWith(each.model() + "_seed-"))
            .findFirst();
    return own.map(each -> latency(each, speed.get(0))).orElse(null);
  }

  private static ReportModel.Latency latency(Speed own, Speed teacher) {
    Speed.Pass alone = own.passes().stream().min(ALONE).orElseThrow();
    Speed.Pass batch = own.passes().stream().min(BATCHED).orElseThrow();
    Speed.Pass teachers = teacher.passes().stream().min(ALONE).orElseThrow();
    return new ReportModel.Latency(
        alone.tokens(),
        alone.p50(),
        alone.p95(),
        batch.batch(),
        batch.sentencesPerSecond(),
        teachers.p50() / alone.p50());
  }

  private static final Comparator<Speed.Pass> ALONE =
      Comparator.comparingInt(Speed.Pass::tokens).thenComparingInt(Speed.Pass::batch);

  private static final Comparator<Speed.Pass> BATCHED =
      Comparator.comparingInt(Speed.Pass::tokens)
          .thenComparing(Speed.Pass::batch, Comparator.reverseOrder());
}
