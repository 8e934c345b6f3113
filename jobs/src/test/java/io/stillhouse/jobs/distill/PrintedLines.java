package io.stillhouse.jobs.distill;

import io.stillhouse.config.Settings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Surroundings without downloads that keep what distill prints. */
public final class PrintedLines implements DistillJob.Surroundings {
  private final List<String> lines = new ArrayList<>();

  /** Returns the printed lines; changes to the list are kept. */
  public List<String> lines() {
    return lines;
  }

  @Override
  public Path download(String coordinates) {
    throw new IllegalStateException("no test downloads " + coordinates);
  }

  @Override
  public Settings opened(Settings recipe) {
    return recipe;
  }

  @Override
  public void say(String line) {
    lines.add(line);
  }
}
