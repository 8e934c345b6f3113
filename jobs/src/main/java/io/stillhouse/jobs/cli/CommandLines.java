package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Secrets;
import io.stillhouse.error.Spelling;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.error.UnavailableException;
import io.stillhouse.jobs.spark.GracefulStop;
import io.stillhouse.jobs.spark.StopSignal;
import io.stillhouse.jobs.spark.StoppedException;
import io.stillhouse.jobs.storage.DiskFull;
import io.stillhouse.torch.Platform;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Adds exit codes, help on keys and error messages to picocli's command line. */
final class CommandLines {
  /** The new names of renamed commands. */
  static final Map<String, String> RENAMED =
      Map.of("collect", "vacuum", "heads", "head-importance");

  /**
   * The order of commands in the help: first those of a project in their usual order, then tools.
   */
  private static final List<String> ORDER =
      List.of(
          "quickstart",
          "distill",
          "import",
          "finetune",
          "check",
          "plan",
          "cache",
          "verify",
          "vacuum",
          "train",
          "sweep",
          "augment",
          "evaluate",
          "head-importance",
          "export",
          "predict",
          "diff",
          "logits",
          "completion");

  private static final int WIDTH = 100;
  static final int FAILURE = 1;
  private static final int USER_ERROR = 2;

  private CommandLines() {}

  /** Returns the command line without a run, for its help. */
  static CommandLine ofNoRun() {
    return of(new CommandRun(UnaryOperator.identity()));
  }

  /** Returns the command line of a run, which is told why a command fails. */
  static CommandLine of(CommandRun run) {
    CommandLine line = new CommandLine(new Stillhouse(run));
    for (String name : ORDER) {
      CommandLine command = line.getCommandSpec().removeSubcommand(name);
      line.getCommandSpec().addSubcommand(name, command);
    }
    line.setUsageHelpWidth(WIDTH)
        .setExecutionStrategy(parsed -> execute(run, parsed))
        .setParameterExceptionHandler((error, args) -> explain(run, error))
        .setExecutionExceptionHandler((error, command, parsed) -> explain(run, error));
    line.getCommandSpec()
        .usageMessage()
        .customSynopsis(
            "stillhouse [spark-submit options] COMMAND [RECIPE] [key=value ...]%n"
                + "       stillhouse COMMAND --help%n")
        .optionListHeading("%nOptions:%n")
        .commandListHeading("%nCommands:%n");
    line.getSubcommands().values().forEach(CommandLines::describe);
    // A text may start with a dash.
    Objects.requireNonNull(line.getSubcommands().get("predict"))
        .setUnmatchedOptionsArePositionalParams(true);
    return line;
  }

  private static int execute(CommandRun run, ParseResult parsed) {
    Integer help = CommandLine.executeHelpRequest(parsed);
    if (help != null) {
      return help;
    }
    try {
      Platform.require();
    } catch (StillhouseException e) {
      return explain(run, e);
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static void describe(CommandLine command) {
    UsageMessageSpec usage = command.getCommandSpec().usageMessage();
    usage
        .parameterListHeading("%nArguments:%n")
        .optionListHeading("%nOptions:%n")
        .exitCodeListHeading("%nExit codes:%n");
    if (usage.exitCodeList().isEmpty()) {
      Map<String, String> codes = new LinkedHashMap<>();
      codes.put("0", "Success.");
      codes.put("1", "Any other failure.");
      codes.put("2", "Mistake in the arguments, the recipe or the data.");
      usage.exitCodeList(codes);
    }
    KeyHelp.addTo(command);
  }

  private static int explain(CommandRun run, Exception error) {
    StopSignal signal = GracefulStop.received();
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      String message = String.valueOf(cause.getMessage());
      if (cause instanceof StillhouseException) {
        LoggerFactory.getLogger(Stillhouse.class).debug("user error", error);
        return explain(run, message);
      }
      if (cause instanceof UnavailableException) {
        LoggerFactory.getLogger(Stillhouse.class).debug("unavailable", error);
        explain(run, message);
        return FAILURE;
      }
      if (signal != null && cause instanceof StoppedException) {
        return stopped(run, signal, message);
      }
    }
    if (signal != null) { // work that the signal has cut short
      LoggerFactory.getLogger(Stillhouse.class).debug("stopped", error);
      return stopped(run, signal, "");
    }
    Optional<String> full = DiskFull.message(error);
    if (full.isPresent()) {
      return explain(run, full.get());
    }
    StringWriter trace = new StringWriter();
    error.printStackTrace(new PrintWriter(trace));
    System.err.print(Secrets.hiddenIn(trace.toString()));
    run.conclude(error.toString().lines().findFirst().orElse("no message"));
    return FAILURE;
  }

  private static int stopped(CommandRun run, StopSignal signal, String state) {
    explain(
        run,
        state.isEmpty()
            ? format("stopped by %s; repeat the command", signal)
            : format("stopped by %s: %s; repeat the command to continue", signal, state));
    return signal.exitCode();
  }

  private static int explain(CommandRun run, ParameterException error) {
    CommandLine command = error.getCommandLine();
    if (!(error instanceof UnmatchedArgumentException unmatched)) {
      return explain(
          run,
          format(
              "%s; see %s --help", error.getMessage(), command.getCommandSpec().qualifiedName()));
    }
    String argument = unmatched.getUnmatched().get(0);
    return explain(
        run,
        unmatched.isUnknownOption()
            ? unknownOption(command, argument)
            : unknown(command, argument));
  }

  private static String unknownOption(CommandLine command, String option) {
    return format(
        "unknown option '%s' of %s; write settings as key=value, and options of spark-submit"
            + " before the command",
        option, command.getCommandSpec().qualifiedName());
  }

  private static String unknown(CommandLine command, String argument) {
    if (command.getParent() != null) {
      return format(
          "unexpected argument '%s' of %s; see %2$s --help",
          argument, command.getCommandSpec().qualifiedName());
    }
    String renamed = RENAMED.get(argument);
    return renamed != null
        ? format("command '%s' was renamed to %s; use the new name", argument, renamed)
        : format(
            "unknown command '%s'; did you mean '%s'?",
            argument, Spelling.nearest(argument, List.copyOf(command.getSubcommands().keySet())));
  }

  private static int explain(CommandRun run, String message) {
    run.conclude(message);
    System.err.println("stillhouse: " + Secrets.hiddenIn(message));
    return USER_ERROR;
  }
}
