package io.stillhouse.jobs.report;

import com.google.gson.JsonObject;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.jobs.export.CodeVersion;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where a run comes from.
 *
 * @param directory the directory of the run
 * @param created when the report was made, in UTC
 * @param version the version of this program that made the report
 * @param environment what the newest training ran on, by name
 * @param recipe the settings of the newest training that differ from the defaults, by key
 * @param seconds the duration of each step of distill; empty for other runs
 */
record Origin(
    String directory,
    String created,
    String version,
    Map<String, String> environment,
    Map<String, String> recipe,
    Map<String, String> seconds) {

  static Origin of(RunFiles files) throws IOException {
    Map<String, String> environment = new TreeMap<>();
    for (JsonObject training : files.trainings()) {
      environment.putAll(RunFiles.texts(training, "environment"));
    }
    Map<String, String> recipe = new TreeMap<>();
    for (Option<?> option : Options.ALL) {
      String value = files.recipe().get(option.key());
      if (value != null && !value.equals(option.defaultValue())) {
        recipe.put(option.key(), value);
      }
    }
    Map<String, String> seconds = new LinkedHashMap<>();
    Map<String, String> recorded =
        files.distill().map(json -> RunFiles.texts(json, "seconds")).orElse(Map.of());
    for (String step : List.of("data", "teacher", "plan", "cache", "train", "evaluate", "export")) {
      if (recorded.containsKey(step)) {
        seconds.put(step, recorded.get(step));
      }
    }
    return new Origin(
        files.run().toString(),
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        CodeVersion.current(),
        environment,
        recipe,
        seconds);
  }
}
