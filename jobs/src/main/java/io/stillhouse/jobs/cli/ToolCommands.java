package io.stillhouse.jobs.cli;

import io.stillhouse.config.Settings;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.evaluate.LogitsFile;
import io.stillhouse.jobs.report.ReportJob;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** The commands that need neither a recipe nor a Spark session. */
final class ToolCommands {
  private ToolCommands() {}

  @Command(
      name = "vacuum",
      description = {
        "Deletes files of a cache that its manifest does not reference.",
        "",
        "Reads: the manifest of CACHE.",
        "Deletes: leftovers of killed attempts, revoked files and temporary files. Refused while a"
            + " command writes to the cache."
      })
  static final class Vacuum implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "CACHE", description = "Directory of the cache.")
    private @Nullable String cache;

    @Override
    public Integer call() throws IOException {
      Storage storage = Storage.ofThisProcess();
      VacuumJob.Result result =
          VacuumJob.run(storage, storage.requireExisting("CACHE", Objects.requireNonNull(cache)));
      result.removed().forEach(file -> Stillhouse.print("removed %s", file));
      Stillhouse.print(
          "vacuumed %s: %,d files, %,d bytes",
          result.cache(), result.removed().size(), result.bytes());
      return 0;
    }
  }

  @Command(
      name = "logits",
      description = {
        "Writes a model's logits for lines of text, to compare with other software.",
        "",
        "Reads: MODEL, a Hugging Face directory or an exported .onnx or .pt file, and TEXT, with"
            + " one sentence per line.",
        "Writes: OUT, a safetensors file."
      })
  static final class Logits implements Callable<Integer> {
    @Parameters(
        index = "0",
        paramLabel = "MODEL",
        description = "A directory, or a file of an export.")
    private @Nullable String model;

    @Parameters(index = "1", paramLabel = "TEXT", description = "One sentence per line.")
    private @Nullable Path text;

    @Parameters(index = "2", paramLabel = "OUT", description = "A safetensors file.")
    private @Nullable Path out;

    @Override
    public Integer call() throws IOException {
      Stillhouse.print(
          "wrote logits of %d lines to %s",
          LogitsFile.write(
              Objects.requireNonNull(model),
              Objects.requireNonNull(text),
              Objects.requireNonNull(out)),
          Objects.requireNonNull(out));
      return 0;
    }
  }

  @Command(
      name = "diff",
      description = {
        "Compares two caches, or two directories of students.",
        "",
        "Reads: A and B. Row keys must be identical, and tensors equal up to rounding.",
        "Writes: nothing."
      },
      exitCodeList = {
        "0:A and B are equal.",
        "1:A and B differ, or another failure.",
        "2:Mistake in the arguments or the data."
      })
  static final class Diff implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "A", description = "A cache, or a directory of students.")
    private @Nullable String a;

    @Parameters(
        index = "1",
        paramLabel = "B",
        description = "The cache or directory to compare with A.")
    private @Nullable String b;

    @Override
    public Integer call() throws IOException {
      CacheDiff.Result result =
          CacheDiff.compare(Objects.requireNonNull(a), Objects.requireNonNull(b));
      Stillhouse.print("%s", result.words());
      return result.equal() ? 0 : 1;
    }
  }

  @Command(
      name = "report",
      description = {
        "Writes a self-contained HTML page about a run: quality, curves, layers, cache, origin.",
        "",
        "Reads: RUN, the directory of distill or of students, or one that contains the latter; the"
            + " caches and the evaluation of its recipe; and the models, for report.rows held-out"
            + " rows.",
        "Writes: RUN/report.html and RUN/report.json, unless report.output names another file."
      })
  static final class Report implements Callable<Integer> {
    @ParentCommand private @Nullable Stillhouse parent;

    @Parameters(index = "0", paramLabel = "RUN", description = "Directory of the run.")
    private @Nullable String run;

    @Parameters(
        index = "1..*",
        arity = "0..*",
        paramLabel = "[key=value ...]",
        hideParamSyntax = true,
        description = "Settings.")
    private @Nullable List<String> arguments;

    @Override
    public Integer call() throws IOException {
      Settings settings =
          Objects.requireNonNull(parent)
              .opened()
              .apply(Settings.parse(null, arguments == null ? List.of() : arguments));
      Storage storage = Storage.ofThisProcess();
      ReportJob job = new ReportJob(storage, settings, Objects.requireNonNull(run));
      Stillhouse.print("%s", ReportLine.line(job.run(ReportJob.Content.RECORDS_AND_MODELS)));
      return 0;
    }
  }

  @Command(
      name = "completion",
      description = {
        "Prints a bash completion script for commands and keys.",
        "",
        "Reads: nothing.",
        "Writes: nothing. To use the script: source <(stillhouse completion)"
      })
  static final class PrintCompletion implements Callable<Integer> {
    @Override
    public Integer call() {
      System.out.print(Completion.script());
      return 0;
    }
  }
}
