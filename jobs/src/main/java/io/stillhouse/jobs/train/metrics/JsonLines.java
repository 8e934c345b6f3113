package io.stillhouse.jobs.train.metrics;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.stillhouse.train.StepReport;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes each step as one line of JSON: the time in UTC, the step, and its numbers. */
final class JsonLines implements StepWriter {
  private static final Gson JSON = new GsonBuilder().serializeSpecialFloatingPointValues().create();

  private final OutputStream out;

  JsonLines(OutputStream out) {
    this.out = out;
  }

  @Override
  public void write(StepReport step, Instant time) throws IOException {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("time", time.toString());
    line.put("step", step.step());
    line.put("steps", step.steps());
    line.putAll(StepNumbers.of(step));
    out.write((JSON.toJson(line) + "\n").getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
