package io.stillhouse.jobs.cli;

import io.stillhouse.config.CommandKeys;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.spark.GracefulStop;
import io.stillhouse.jobs.spark.StopSignal;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.apache.hadoop.util.ShutdownHookManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One run of a command. It returns an exit code and, if {@code job.result} is set, writes this code
 * to a file, because {@code spark-submit} does not return the driver's exit code in the deploy mode
 * {@code cluster}. A failure to write the file is logged and does not change the exit code.
 */
final class CommandRun {
  private static final Logger LOG = LoggerFactory.getLogger(CommandRun.class);
  private static final String RESULT = Options.JOB_RESULT.key() + "=";

  /** Higher than that of Spark's hook (40), which stops the session, and of the file systems'. */
  private static final int HOOK_PRIORITY = 100;

  private final UnaryOperator<Settings> observer;
  private final List<String> arguments = new ArrayList<>();
  private final Instant started = Instant.now();
  private String file = "";
  private CommandOutputs outputs = CommandOutputs.NONE;
  private @Nullable String message;
  private boolean finished;

  /**
   * Creates a run.
   *
   * @param observer a function that is applied to settings before any of them is read
   * @param arguments the command with its arguments. The result file is not passed on to the
   *     command, because it does not belong to the recipe: a repeated {@code distill} is the same
   *     command with another result file.
   */
  CommandRun(UnaryOperator<Settings> observer, String... arguments) {
    this.observer = observer;
    for (String argument : arguments) {
      if (argument.startsWith(RESULT) && keys().isPresent()) {
        file = argument.substring(RESULT.length());
      } else {
        this.arguments.add(argument);
      }
    }
  }

  /** Runs the command and returns its exit code. */
  int execute() {
    Runnable hook =
        () -> {
          StopSignal signal = GracefulStop.received();
          finish(
              (signal == null ? StopSignal.SIGTERM : signal).exitCode(),
              "stopped by a signal; repeat the command to continue");
        };
    ShutdownHookManager hooks = ShutdownHookManager.get();
    hooks.addShutdownHook(hook, HOOK_PRIORITY);
    List<String> words = arguments.isEmpty() ? List.of("--help") : arguments;
    try {
      int exitCode = CommandLines.of(this).execute(words.toArray(String[]::new));
      finish(exitCode, message);
      return exitCode;
    } catch (Error e) { // such as a missing native library, which picocli passes on
      finish(CommandLines.FAILURE, e.toString());
      throw e;
    } finally {
      if (!hooks.isShutdownInProgress()) {
        hooks.removeShutdownHook(hook);
      }
    }
  }

  /** Receives the settings of the command before any of them is read, and returns them. */
  Settings opened(Settings settings) {
    Settings observed = observer.apply(settings);
    if (file.isEmpty()) {
      file = observed.get(Options.JOB_RESULT);
    }
    // As an argument, it was taken out before the settings were checked.
    if (Secrets.areInUrl(file)) {
      String given = file;
      file = "";
      throw Errors.credentialsIn(Options.JOB_RESULT.key(), given);
    }
    if (!file.isEmpty() && outputs == CommandOutputs.NONE) {
      outputs = keys().map(keys -> outputs(keys, observed)).orElse(outputs);
    }
    return observed;
  }

  private static CommandOutputs outputs(CommandKeys keys, Settings settings) {
    try {
      return CommandOutputs.of(keys, settings);
    } catch (StillhouseException e) {
      return CommandOutputs.NONE; // the command reports the mistake
    }
  }

  /** Receives the message of the result file. */
  void conclude(String conclusion) {
    message = conclusion;
  }

  private Optional<CommandKeys> keys() {
    return arguments.isEmpty() ? Optional.empty() : CommandKeys.of(arguments.get(0));
  }

  /** Writes the result file, once. */
  private synchronized void finish(int exitCode, @Nullable String conclusion) {
    if (finished) {
      return;
    }
    finished = true;
    if (file.isEmpty()) {
      return;
    }
    try {
      Storage storage = Storage.ofThisProcess();
      storage.writeJson(
          storage.qualify(file),
          new CommandResult(arguments.get(0), exitCode, conclusion, outputs, started));
    } catch (IOException | RuntimeException e) {
      LOG.warn(
          "Cannot write the result to job.result '{}': {}", Secrets.hiddenIn(file), e.toString());
    }
  }
}
