package io.stillhouse.jobs.report;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.StudentComparison;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.Baseline;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the records of a run, and runs its models if they are asked for. */
final class ReportReader {
  private static final Logger LOG = LoggerFactory.getLogger(ReportReader.class);

  /** Points of a curve: enough for a wide screen, or for a line that is only context. */
  private static final int POINTS = 200;

  private static final int FEW_POINTS = 40;
  private static final int FEW_STUDENTS = 16;

  private final RunFiles files;
  private final Storage storage;

  ReportReader(RunFiles files) {
    this.files = files;
    this.storage = files.storage();
  }

  /**
   * Returns the report from records alone.
   *
   * @throws StillhouseException if a record cannot be reached
   */
  Report read() throws IOException {
    ModelReader reader = new ModelReader(files);
    Optional<Evaluation> evaluation = reader.evaluation();
    List<ReportModel> models = reader.models();
    Report.Summary summary = Headline.of(models, evaluation.orElse(null));
    List<CacheContents> caches = caches();
    return new Report(
        summary,
        withFront(models, summary),
        curves(models),
        caches,
        null,
        Origin.of(files),
        FaultList.of(files, models, caches));
  }

  /**
   * Returns a report with a comparison of the best student, its baseline and its teacher.
   *
   * @param settings {@code report.rows} and {@code report.texts}
   */
  Report withComparison(Report report, Settings settings) throws IOException {
    int rows = settings.get(Options.REPORT_ROWS);
    Path cache = files.validation().or(this::trainingCache).orElse(null);
    Map<String, Path> students = compared(report);
    if (rows == 0 || cache == null || students.isEmpty()) {
      return report;
    }
    StudentComparison compared = StudentComparison.of(storage, cache, students, rows);
    ComparisonSummary.Rows of =
        files.validation().isPresent()
            ? ComparisonSummary.Rows.HELD_OUT
            : ComparisonSummary.Rows.TRAINING;
    return new Report(
        report.summary(),
        report.models(),
        report.curves(),
        report.caches(),
        ComparisonSummary.of(
            compared, of, report.summary().best(), settings.get(Options.REPORT_TEXTS)),
        report.origin(),
        report.faults());
  }

  private Optional<Path> trainingCache() {
    try {
      return files.cache();
    } catch (IOException e) {
      LOG.warn("The cache of the training rows cannot be read, so no models are compared", e);
      return Optional.empty();
    }
  }

  /** Returns the directories of the best student and of its baseline. */
  private Map<String, Path> compared(Report report) throws IOException {
    Map<String, Path> found = new LinkedHashMap<>();
    String best = report.summary().best();
    for (String name : List.of(best, Baseline.name(best))) {
      for (Path student : files.finished()) {
        if (student.getName().equals(name) && storage.exists(new Path(student, "config.json"))) {
          found.put(name, student);
        }
      }
    }
    return found;
  }

  private static List<ReportModel> withFront(List<ReportModel> models, Report.Summary summary) {
    double sign = summary.largerIsBetter() ? -1 : 1;
    List<ReportModel> students =
        models.stream().filter(model -> model.role() != ReportModel.Role.TEACHER).toList();
    List<ReportModel> front =
        ParetoFront.of(
            students,
            model -> model.size().parameters() > 0 ? model.size().parameters() : Double.NaN,
            model -> sign * model.metric(summary.metric()));
    return models.stream()
        .map(
            model ->
                model.withFront(
                    front.contains(model) ? ReportModel.Front.ON : ReportModel.Front.OFF))
        .toList();
  }

  private List<CacheContents> caches() throws IOException {
    List<CacheContents> caches = new ArrayList<>();
    Map<String, Path> paths = new LinkedHashMap<>();
    files.cache().ifPresent(path -> paths.put("training rows", path));
    files.validation().ifPresent(path -> paths.put("held-out rows", path));
    for (Map.Entry<String, Path> cache : paths.entrySet()) {
      try {
        caches.add(CacheContents.of(storage, cache.getValue(), cache.getKey()));
      } catch (StillhouseException e) { // damaged, or of another version
        LOG.warn("The report leaves out a cache: {}", e.getMessage());
      }
    }
    return caches;
  }

  private List<Curve> curves(List<ReportModel> models) throws IOException {
    List<Curve> curves = new ArrayList<>();
    int points = models.size() > FEW_STUDENTS ? FEW_POINTS : POINTS;
    Path metrics = files.metrics().orElse(null);
    for (ReportModel model : models) {
      List<String> lines = lines(model.name(), metrics);
      if (model.role() != ReportModel.Role.TEACHER && !lines.isEmpty()) {
        Curve curve = Curve.of(model.name(), lines, points);
        if (curve.step().length > 0) {
          curves.add(curve);
        }
      }
    }
    return curves;
  }

  /** Returns the lines of every step of a finished student, or else those that were reported. */
  private List<String> lines(String student, @Nullable Path metrics) throws IOException {
    Path students = files.students();
    Path finished =
        students == null ? null : new Path(new Path(students, student), "metrics.jsonl");
    if (finished != null && storage.exists(finished)) {
      return storage.readText(finished).lines().toList();
    }
    if (metrics == null || !storage.exists(new Path(metrics, student))) {
      return List.of();
    }
    List<String> lines = new ArrayList<>();
    Path directory = new Path(metrics, student);
    for (FileStatus file :
        Arrays.stream(storage.fileSystem(directory).listStatus(directory))
            .filter(each -> each.getPath().getName().matches("steps.*\\.jsonl"))
            .sorted(Comparator.comparing(each -> each.getPath().getName()))
            .toList()) {
      storage.readText(file.getPath()).lines().forEach(lines::add);
    }
    return lines;
  }
}
