package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.checkpoint.foreign.Importer;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.finetune.FinetuneJob;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.text.ClassNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/** Provides the teacher of a run: imports the encoder, and fine-tunes it on the labelled rows. */
final class DistillTeacher {
  private static final String MAVEN = "maven:";

  private final SparkSession spark;
  private final Settings settings;
  private final DistillRequest request;
  private final DistillJob.Surroundings surroundings;
  private final Storage storage;

  DistillTeacher(
      SparkSession spark,
      Settings settings,
      DistillRequest request,
      DistillJob.Surroundings surroundings) {
    this.spark = spark;
    this.settings = settings;
    this.request = request;
    this.surroundings = surroundings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
  }

  /**
   * The fine-tuned teacher.
   *
   * @param base the encoder that it was fine-tuned from; "" if the user's teacher needed no
   *     fine-tuning
   */
  record Result(String directory, HuggingFaceDirectory model, String base) {}

  /**
   * Returns the user's encoder if it already has the table's labels, else fine-tunes it unless an
   * earlier run did.
   *
   * @throws io.stillhouse.error.StillhouseException also if the settings of the student or its
   *     training have a mistake, before anything is fine-tuned
   */
  Result of(TableSplit.Result data) throws IOException {
    String from = from();
    Path base = base(from);
    HuggingFaceDirectory encoder = HuggingFaceDirectory.open(base);
    Task task = TableLabels.named(data.task());
    Head head = head(encoder, task);
    DistillRecipe recipe = new DistillRecipe(settings, request, data);
    if (TableLabels.fits(head, task, data.classes().keySet())) {
      say("2. Teacher: %s, which already has the table's labels", from);
      recipe.check(base.toString(), encoder.spec(), "", storage);
      return new Result(base.toString(), encoder, "");
    }
    String tuned = request.directory().inRecipe(DistillDirectory.TEACHER);
    EncoderSpec spec =
        encoder.spec().withHead(new Head(task, List.copyOf(data.classes().keySet())));
    recipe.check(tuned, spec, base.toString(), storage);
    if (request.directory().has(DistillDirectory.TEACHER)) {
      say("2. Teacher: %s, which is already fine-tuned", tuned);
    } else {
      finetune(data, head, base, recipe);
    }
    Path local = request.directory().local(DistillDirectory.TEACHER);
    return new Result(tuned, HuggingFaceDirectory.open(local), base.toString());
  }

  private void finetune(TableSplit.Result data, Head head, Path base, DistillRecipe recipe)
      throws IOException {
    say("2. Teacher: fine-tune %s on the labelled rows", from());
    if (head.task() == Task.CLASSIFICATION && data.task().equals("classification")) {
      say(
          "   its classes are %s, not the table's %s; if they mean the same, set corpus.classes",
          ClassNames.shown(head.labels()),
          ClassNames.shown(ClassNames.ordered(data.classes().keySet())));
    }
    Settings finetune = Recipe.prepare(recipe.finetune(base.toString()));
    FinetuneJob.Result result = new FinetuneJob(spark, finetune).run();
    result.lines().forEach(line -> say("   %s", line));
    result.notes().forEach(note -> say("   note: %s", note));
  }

  private String from() {
    return settings.has(Options.TEACHER) ? settings.get(Options.TEACHER) : DistillJob.TEACHER;
  }

  /**
   * Returns the head of the user's encoder, with the names of {@code corpus.classes} if it has as
   * many classes.
   */
  private Head head(HuggingFaceDirectory encoder, Task task) {
    Head head = encoder.spec().head();
    int names = settings.get(Options.CORPUS_CLASSES).size();
    return names > 0 && head.task() == task && head.outputs() == names
        ? ModelCheck.of(settings, "the teacher", encoder.spec()).head()
        : head;
  }

  /**
   * Returns the Hugging Face directory of the encoder, which is imported if it has another form.
   */
  private Path base(String from) throws IOException {
    if (!from.startsWith(MAVEN) && Files.exists(Path.of(from).resolve("config.json"))) {
      return Path.of(from);
    }
    Path base = request.directory().path().resolve(DistillDirectory.BASE);
    if (!Files.exists(base)) {
      Importer.importTeacher(
              from.startsWith(MAVEN)
                  ? surroundings.download(from.substring(MAVEN.length()))
                  : Path.of(from),
              base)
          .notes()
          .forEach(note -> say("   note: %s", note));
    }
    return base;
  }

  @FormatMethod
  private void say(@FormatString String text, Object... values) {
    surroundings.say(format(text, values));
  }
}
