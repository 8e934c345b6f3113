package io.stillhouse.jobs;

import static io.stillhouse.error.Text.format;
import static org.assertj.core.api.Assertions.assertThat;

import io.stillhouse.jobs.cli.Stillhouse;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** A command in a process of its own, on a local session, with the logging that we ship. */
public final class CommandProcess implements AutoCloseable {
  private final Process process;
  private final Path stdout;
  private final Path stderr;

  private CommandProcess(Process process, Path stdout, Path stderr) {
    this.process = process;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /**
   * Starts a command.
   *
   * @param output the directory of its output
   * @param properties Spark's settings; the master is local[2] and the UI is off unless they say
   *     otherwise
   * @param environment added to this process's environment
   */
  public static CommandProcess start(
      Path output, Map<String, String> properties, Map<String, String> environment, String... words)
      throws IOException {
    List<String> command =
        new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
    // The flags of this JVM, which Spark needs on Java 17.
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-Dspark.master=local[2]", "-Dspark.ui.enabled=false"));
    properties.forEach((key, value) -> command.add("-D" + key + "=" + value));
    command.add("-Dlog4j2.configurationFile=../conf/log4j2.properties");
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), Stillhouse.class.getName()));
    command.addAll(List.of(words));
    Files.createDirectories(output);
    Path stdout = Files.createTempFile(output, words[0], ".out");
    Path stderr = Files.createTempFile(output, words[0], ".err");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(stdout.toFile()).redirectError(stderr.toFile());
    builder.environment().put("STILLHOUSE_LOG_LEVEL", "info");
    builder.environment().putAll(environment);
    return new CommandProcess(builder.start(), stdout, stderr);
  }

  /** Waits until as many lines of standard error contain a pattern, or the command ends. */
  public CommandProcess await(String pattern, int lines) throws IOException, InterruptedException {
    Pattern wanted = Pattern.compile(pattern);
    for (int tenths = 0; tenths < 1200 && process.isAlive(); tenths++) {
      if (stderr().stream().filter(line -> wanted.matcher(line).find()).count() >= lines) {
        return this;
      }
      process.waitFor(100, TimeUnit.MILLISECONDS);
    }
    throw new AssertionError(
        format("%d lines with '%s' are missing in %s", lines, pattern, stderr()));
  }

  /** Sends a signal by its name, such as TERM. */
  public CommandProcess signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
    return this;
  }

  /** Waits until the command ends, and returns its exit code. */
  public int code() throws InterruptedException {
    assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("the command ends").isTrue();
    return process.exitValue();
  }

  /** Requires that the command succeeds. */
  public void succeeds() throws IOException, InterruptedException {
    assertThat(code()).as(String.join("\n", stderr())).isZero();
  }

  public List<String> stdout() throws IOException {
    return Files.readAllLines(stdout);
  }

  public List<String> stderr() throws IOException {
    return Files.readAllLines(stderr);
  }

  public String lastLine() throws IOException {
    List<String> lines = stderr();
    return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
