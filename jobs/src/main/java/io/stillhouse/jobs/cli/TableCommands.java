package io.stillhouse.jobs.cli;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.distill.DistillJob;
import io.stillhouse.jobs.distill.DistillRequest;
import io.stillhouse.jobs.maven.MavenArtifact;
import io.stillhouse.jobs.report.ReportJob;
import io.stillhouse.jobs.spark.Launcher;
import io.stillhouse.jobs.spark.Sessions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** The commands that run every step, from a table to an exported student. */
final class TableCommands {
  private TableCommands() {}

  @Command(
      name = "quickstart",
      description = {
        "Distills a classifier of WordNet's glosses: 2,000 rows with labels and 20,000 without.",
        "",
        "Reads: a small sentence encoder and WordNet, which Maven downloads once (95 MB).",
        "Writes: DIR with glosses and everything that distill writes. A step is skipped if its"
            + " result exists."
      })
  static final class QuickstartCommand implements Callable<Integer> {
    @ParentCommand private @Nullable Stillhouse parent;

    @Parameters(
        arity = "0..*",
        paramLabel = "[DIR] [key=value ...]",
        hideParamSyntax = true,
        description = "Directory of all results, by default q, followed by settings.")
    private @Nullable List<String> arguments;

    @Override
    public Integer call() throws IOException {
      List<String> settings = new ArrayList<>(arguments == null ? List.of() : arguments);
      String directory =
          settings.isEmpty() || settings.get(0).contains("=") ? "q" : settings.remove(0);
      new Quickstart(Path.of(directory), settings, Objects.requireNonNull(parent).opened()).run();
      return 0;
    }
  }

  @Command(
      name = "distill",
      description = {
        "Distills a table of labelled texts: fine-tunes a teacher, and trains and exports a"
            + " student.",
        "",
        "Reads: TABLE, a file or directory in any format of corpus.path, and the teacher in"
            + " teacher.path, by default a small encoder that is downloaded once (85 MB).",
        "Writes: DIR with data, teacher, recipe.conf, cache, students, evaluation.json, export,"
            + " distill.json and report.html. A step is skipped if its result exists."
      })
  static final class Distill implements Callable<Integer> {
    @ParentCommand private @Nullable Stillhouse parent;

    @Parameters(index = "0", paramLabel = "TABLE", description = "The table, such as train.csv.")
    private @Nullable String table;

    @Parameters(index = "1", paramLabel = "DIR", description = "Directory of all results.")
    private @Nullable String directory;

    @Parameters(
        index = "2..*",
        arity = "0..*",
        paramLabel = "[key=value ...]",
        hideParamSyntax = true,
        description = "Settings.")
    private @Nullable List<String> arguments;

    @Override
    public Integer call() throws IOException {
      String to = Objects.requireNonNull(directory);
      if (to.contains("=") || to.contains("://")) {
        throw Errors.invalid(
            format("the second argument of distill is '%s', but must be a local directory", to),
            "write distill TABLE DIR key=value ...");
      }
      DistillRequest request =
          DistillRequest.of(
              Objects.requireNonNull(table),
              Path.of(to),
              arguments == null ? List.of() : arguments);
      DistillJob.Result result = distill(request, Objects.requireNonNull(parent).opened());
      if (result.pairs()) {
        Stillhouse.print("next: change %s/recipe.conf, and run train and evaluate with it", to);
      } else {
        Stillhouse.print(
            "next: %s predict %s/export \"a text\", or change %2$s/recipe.conf",
            Launcher.command(), to);
      }
      result.leftOut().forEach(line -> Stillhouse.print("%s", line));
      report(request, Objects.requireNonNull(parent).opened());
      return 0;
    }
  }

  /** Runs a request in its own session. */
  static DistillJob.Result distill(DistillRequest request, UnaryOperator<Settings> opened)
      throws IOException {
    Settings settings = opened.apply(request.settings());
    try (SparkSession spark = Sessions.open("distill", settings)) {
      return new DistillJob(spark, settings, request, new Terminal(opened)).run();
    }
  }

  /** Writes the report of a finished request, and says where it is. */
  static void report(DistillRequest request, UnaryOperator<Settings> opened) {
    ReportLine.write(
        opened.apply(request.settings()), request.place(), ReportJob.Content.RECORDS_AND_MODELS);
  }

  /** Downloads from Maven repositories, and prints to standard output. */
  private record Terminal(UnaryOperator<Settings> observer) implements DistillJob.Surroundings {
    @Override
    public Path download(String coordinates) throws IOException {
      return MavenArtifact.parse(coordinates).resolve();
    }

    @Override
    public Settings opened(Settings recipe) {
      return observer.apply(recipe);
    }

    @Override
    public void say(String line) {
      Stillhouse.print("%s", line);
    }
  }
}
