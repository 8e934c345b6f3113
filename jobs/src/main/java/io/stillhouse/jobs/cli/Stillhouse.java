package io.stillhouse.jobs.cli;

import io.stillhouse.checkpoint.foreign.Importer;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.augment.AugmentJob;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.check.CacheDiff;
import io.stillhouse.jobs.cache.check.VacuumJob;
import io.stillhouse.jobs.cache.check.VerifyJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.evaluate.LogitsFile;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import io.stillhouse.jobs.heads.HeadImportanceReport;
import io.stillhouse.jobs.plan.PlanJob;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * The command line. Exit code 0 is done, 2 the user's mistake with one message, 1 anything else.
 *
 * <p>Every command reads and checks its recipe before Spark starts, and its whole job before
 * anything is written.
 */
@Command(
    name = "stillhouse",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    description = "Run the teacher once, distil as many students as you like.",
    footer = {
      "",
      "A RECIPE is a HOCON file (see conf/); key=value arguments win over it.",
      "Options before the command go to spark-submit."
    })
public final class Stillhouse {
  private Stillhouse() {}

  /** Runs one command and ends the process with its exit code. */
  public static void main(String[] args) {
    System.exit(run(args));
  }

  /** Runs one command and returns its exit code. */
  public static int run(String... args) {
    if (args.length == 0) {
      return new CommandLine(new Stillhouse()).execute("--help");
    }
    return new CommandLine(new Stillhouse())
        .setExecutionExceptionHandler((error, command, parsed) -> explain(error))
        .execute(args);
  }

  private static int explain(Exception error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof StillhouseException) {
        LoggerFactory.getLogger(Stillhouse.class).debug("the user's mistake", error);
        System.err.println("stillhouse: " + cause.getMessage());
        return 2;
      }
    }
    error.printStackTrace();
    return 1;
  }

  @Command(name = "quickstart", description = "The whole flow on the real BERT-base, in minutes.")
  int quickstart(
      @Parameters(
              arity = "0..*",
              paramLabel = "[DIR] [key=value]",
              description = "DIR is 'q' unless given.")
          List<String> arguments)
      throws IOException {
    List<String> settings = new ArrayList<>(arguments == null ? List.of() : arguments);
    String directory =
        settings.isEmpty() || settings.get(0).contains("=") ? "q" : settings.remove(0);
    new Quickstart(Path.of(directory), settings).run();
    return 0;
  }

  @Command(
      name = "import",
      description = "Turns a teacher of any supported format into a Hugging Face directory.")
  int importTeacher(
      @Parameters(
              paramLabel = "SOURCE",
              description = "A jar, zip, ONNX file or directory; or maven:group:artifact:version.")
          String source,
      @Parameters(paramLabel = "DEST") Path destination)
      throws IOException {
    Path from =
        source.startsWith("maven:")
            ? MavenArtifact.parse(source.substring("maven:".length())).resolve()
            : Path.of(source);
    Importer.Imported imported = Importer.importTeacher(from, destination);
    say(
        "imported %s: %s, %,d parameters",
        destination,
        imported.model().spec().head().task(),
        imported.model().spec().parameterCount());
    imported.notes().forEach(note -> say("note: %s", note));
    return 0;
  }

  @Command(name = "finetune", description = "Trains an encoder on hard labels alone.")
  int finetune(
      @Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.CORPUS_PATH, Options.FINETUNE_TO);
    try (SparkSession spark = Sessions.open("finetune", settings)) {
      FinetuneJob.Result result = new FinetuneJob(spark, settings).run();
      say("fine-tuned %s", result.directory());
    }
    return 0;
  }

  @Command(
      name = "plan",
      description =
          "Bytes, hours, money and break-even before anyone spends; may say not to cache.")
  int plan(@Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings =
        studentSettings(arguments, Options.TEACHER, Options.CORPUS_PATH, Options.CACHE);
    try (SparkSession spark = Sessions.open("plan", settings)) {
      System.out.print(new PlanJob(spark, settings).run().table());
    }
    return 0;
  }

  @Command(name = "cache", description = "Job 1: teacher to Parquet targets; restartable.")
  int cache(@Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.TEACHER, Options.CORPUS_PATH, Options.CACHE);
    try (SparkSession spark = Sessions.open("cache", settings)) {
      CacheRecord result = new CacheJob(spark, settings).run();
      say(
          "cached %s: %,d rows, %,d tokens in %d shards, %,.0f bytes a token",
          result.cache(), result.rows(), result.tokens(), result.shards(), result.bytesPerToken());
      if (result.droppedShards() > 0) {
        say(
            "dropped the targets of %d shards, which every student had seen; %d are kept",
            result.droppedShards(), result.shards() - result.droppedShards());
      }
    }
    return 0;
  }

  @Command(
      name = "verify",
      description =
          "Proves a cache complete and faithful, and revokes what is damaged; exit code 1 if it is"
              + " not sound.")
  int verify(
      @Parameters(paramLabel = "CACHE") String cache,
      @Parameters(arity = "0..*", paramLabel = "[key=value]") List<String> arguments)
      throws IOException {
    Settings settings = Settings.parse(null, arguments == null ? List.of() : arguments);
    try (SparkSession spark = Sessions.open("verify", settings)) {
      VerifyJob.Result result = new VerifyJob(spark, settings, cache).run();
      result.lines().forEach(line -> say("%s", line));
      return result.sound() ? 0 : 1;
    }
  }

  @Command(name = "vacuum", description = "Removes files of a cache that no manifest entry names.")
  int vacuum(@Parameters(paramLabel = "CACHE") String cache) throws IOException {
    Storage storage = Storage.ofThisProcess();
    VacuumJob.Result result = VacuumJob.run(storage, storage.requireExisting("CACHE", cache));
    result.removed().forEach(file -> say("removed %s", file));
    say(
        "vacuumed %s: %,d files, %,d bytes",
        result.cache(), result.removed().size(), result.bytes());
    return 0;
  }

  @Command(name = "train", description = "Job 2: cached targets to students; restartable.")
  int train(@Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = studentSettings(arguments, Options.CACHE);
    try (SparkSession spark = Sessions.open("train", settings)) {
      TrainJob.Result result = StagedTraining.train(spark, settings);
      result.students().forEach(student -> say("trained %s", student.summary()));
      result.alreadyTrained().forEach(name -> say("%s was trained already", name));
      result.notes().forEach(note -> say("note: %s", note));
    }
    return 0;
  }

  @Command(
      name = "sweep",
      description = "Many students from one cache, all that sweep.over combines; restartable.")
  int sweep(@Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.CACHE);
    try (SparkSession spark = Sessions.open("sweep", settings)) {
      SweepJob.Result result = StagedTraining.sweep(spark, settings);
      System.out.print(result.table());
      result.notes().forEach(note -> say("note: %s", note));
      result
          .failures()
          .forEach(row -> System.err.println("stillhouse: " + row.name() + ": " + row.problem()));
      return result.exitCode();
    }
  }

  @Command(
      name = "augment",
      description = "A larger corpus by masked-LM replacement or by rules, seeded.")
  int augment(
      @Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.CORPUS_PATH, Options.AUGMENT_TO);
    try (SparkSession spark = Sessions.open("augment", settings)) {
      AugmentJob.Result result = new AugmentJob(spark, settings).run();
      AugmentJob.Counts counts = result.counts();
      say(
          "augmented %s: %,d rows of %,d, %.1f %% of the copies' words replaced, %,d copies dropped"
              + " as equal, %,d rows left out",
          result.directory(),
          counts.rowsOut(),
          counts.rowsIn(),
          100 * counts.replacedShare(),
          counts.duplicates(),
          counts.leftOut());
      say("next: cache with %s", String.join(" ", result.next()));
    }
    return 0;
  }

  @Command(name = "evaluate", description = "Teacher against students: task metrics and agreement.")
  int evaluate(
      @Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.CORPUS_PATH);
    settings.require(
        settings.get(Options.TEACHER_NAME).isEmpty() ? Options.TEACHER : Options.CACHE);
    try (SparkSession spark = Sessions.open("evaluate", settings)) {
      Evaluation evaluation = new EvaluateJob(spark, settings).run();
      System.out.print(evaluation.table());
    }
    return 0;
  }

  @Command(
      name = "head-importance",
      description = "How important each attention head of a model is to its loss on labels.")
  int headImportance(
      @Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.CORPUS_PATH);
    if (settings.get(Options.HEAD_IMPORTANCE_MODEL).isEmpty()) {
      settings.require(Options.TEACHER);
    }
    try (SparkSession spark = Sessions.open("head-importance", settings)) {
      HeadImportanceReport report = new HeadImportanceJob(spark, settings).run();
      System.out.print(report.table());
      say("over %,d rows, in %s", report.rows(), settings.get(Options.HEAD_IMPORTANCE_OUTPUT));
    }
    return 0;
  }

  @Command(name = "export", description = "Student to a Hugging Face directory.")
  int export(
      @Parameters(arity = "0..*", paramLabel = "[RECIPE] [key=value]") List<String> arguments)
      throws IOException {
    Settings settings = settings(arguments, Options.EXPORT_TO);
    say("exported %s", ExportJob.run(settings));
    return 0;
  }

  @Command(
      name = "logits",
      description = "Writes a model's logits for lines of text, to compare with other software.")
  int logits(
      @Parameters(paramLabel = "MODEL") Path model,
      @Parameters(paramLabel = "TEXT", description = "One sentence per line.") Path text,
      @Parameters(paramLabel = "OUT", description = "A safetensors file.") Path out)
      throws IOException {
    say("wrote logits of %d lines to %s", LogitsFile.write(model, text, out), out);
    return 0;
  }

  @Command(
      name = "diff",
      description =
          "Compares two caches, or two directories of students; exit code 1 if they differ.")
  int diff(@Parameters(paramLabel = "A") String a, @Parameters(paramLabel = "B") String b)
      throws IOException {
    CacheDiff.Result result = CacheDiff.compare(a, b);
    say("%s", result.words());
    return result.equal() ? 0 : 1;
  }

  /** Parses arguments, the first of which may be a recipe. */
  static Settings settings(List<String> arguments, Option<?>... required) {
    return Recipe.prepared(parse(arguments).require(required));
  }

  /** As {@link #settings}, with what the recipe's student needs. */
  private static Settings studentSettings(List<String> arguments, Option<?>... required) {
    return Recipe.prepared(Recipe.requireStudent(parse(arguments), required));
  }

  private static Settings parse(List<String> arguments) {
    List<String> rest = new ArrayList<>(arguments == null ? List.of() : arguments);
    Path recipe = rest.isEmpty() || rest.get(0).contains("=") ? null : Path.of(rest.remove(0));
    if (recipe == null && rest.isEmpty()) {
      throw Errors.invalid("no recipe was named", "name one of conf/, or give key=value arguments");
    }
    return Settings.parse(recipe, rest);
  }

  static void say(String format, Object... values) {
    System.out.println(String.format(java.util.Locale.ROOT, format, values));
  }
}
