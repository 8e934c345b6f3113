package io.stillhouse.jobs.faults;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the event log of a finished Spark application. */
final class EventLog {
  private static final Gson GSON = new Gson();

  private EventLog() {}

  /** Returns the number of tasks that a speculative copy finished. */
  static long speculativeSuccesses(Path directory) throws IOException {
    long count = 0;
    try (var files = Files.walk(directory)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        for (String line : Files.readAllLines(file)) {
          JsonObject event = GSON.fromJson(line, JsonObject.class);
          count +=
              event.get("Event").getAsString().equals("SparkListenerTaskEnd")
                      && event.getAsJsonObject("Task Info").get("Speculative").getAsBoolean()
                      && event
                          .getAsJsonObject("Task End Reason")
                          .get("Reason")
                          .getAsString()
                          .equals("Success")
                  ? 1
                  : 0;
        }
      }
    }
    return count;
  }
}
