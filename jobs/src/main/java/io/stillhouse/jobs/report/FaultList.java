package io.stillhouse.jobs.report;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import io.stillhouse.jobs.chart.Numbers;
import io.stillhouse.jobs.storage.Completeness;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.RoundReport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/** What went wrong in a run and was repeated, repaired or left out. */
final class FaultList {
  private FaultList() {}

  /** Returns one sentence for each kind of fault; empty if nothing went wrong. */
  static List<String> of(RunFiles files, List<ReportModel> models, List<CacheContents> caches)
      throws IOException {
    List<String> faults = new ArrayList<>();
    for (JsonObject training : files.trainings()) {
      ofTraining(training, faults);
    }
    for (ReportModel model : models) {
      if (!model.status().equals("trained")) {
        faults.add(format("%s: %s.", model.name(), model.status()));
      }
      if (model.training() != null && model.training().training().rowsLeftOut() != null) {
        faults.add(
            format(
                "%s was trained without %,d rows that have no label or that an additional teacher's"
                    + " cache lacks.",
                model.name(), model.training().training().rowsLeftOut()));
      }
    }
    for (Path student : files.finished()) {
      ofRounds(files.storage(), student, faults);
    }
    caches.forEach(cache -> ofCache(cache, faults));
    return faults;
  }

  private static void ofTraining(JsonObject training, List<String> to) {
    JsonElement faults = training.get("faults");
    if (faults == null || !faults.isJsonObject()) {
      return;
    }
    Map<String, String> failed = RunFiles.texts(faults.getAsJsonObject(), "failedTasks");
    failed.forEach(
        (reason, count) ->
            to.add(
                format(
                    "%s task attempts failed with %s and were retried.", count, lastWord(reason))));
    RunFiles.texts(faults.getAsJsonObject(), "resumedAtStep")
        .forEach(
            (student, step) ->
                to.add(
                    format(
                        "%s was interrupted and resumed from its checkpoint of step %s.",
                        student, step)));
  }

  /** Returns the name of a class without its package. */
  private static String lastWord(String className) {
    return className.substring(className.lastIndexOf('.') + 1);
  }

  private static void ofRounds(Storage storage, Path student, List<String> to) throws IOException {
    Path file = new Path(student, "rounds.jsonl");
    if (!storage.exists(file)) {
      return;
    }
    Map<Integer, List<Integer>> leftOut = new TreeMap<>();
    for (String line : storage.readText(file).lines().toList()) {
      RoundReport round = round(line);
      if (round != null && !round.leftOut().isEmpty()) {
        leftOut.put(round.round() + 1, round.leftOut());
      }
    }
    leftOut.forEach(
        (round, workers) ->
            to.add(
                format(
                    "%s, round %d: the updates of workers %s were not finite and were left out.",
                    student.getName(), round, workers)));
  }

  /** Returns the report of a round, or null if the line is damaged. */
  private static @Nullable RoundReport round(String line) {
    try {
      RoundReport round = Storage.JSON.fromJson(line, RoundReport.class);
      return Completeness.isComplete(round) ? round : null;
    } catch (JsonParseException e) {
      return null;
    }
  }

  private static void ofCache(CacheContents cache, List<String> to) {
    CacheContents.Checks checks = cache.checks();
    String of = "The cache of the " + cache.rowsOf();
    if (checks.revoked() > 0 || checks.lostEntries() > 0) {
      to.add(
          format(
              "%s had %,d damaged files and %,d damaged manifest entries, which were revoked.",
              of, checks.revoked(), checks.lostEntries()));
    }
    if (checks.verified() && !checks.sound()) {
      to.add(of + " was damaged, incomplete or different from the teacher when last verified.");
    }
    if (checks.missingShards() > 0) {
      to.add(format("%s lacks the targets of %,d shards.", of, checks.missingShards()));
    }
    if (cache.rows().invalid() > 0) {
      to.add(format("%s leaves out %s invalid rows.", of, Numbers.brief(cache.rows().invalid())));
    }
  }
}
