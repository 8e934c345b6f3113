package io.stillhouse.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.Tiny;
import io.stillhouse.jobs.augment.AugmentJob;
import io.stillhouse.jobs.cache.build.CacheJob;
import io.stillhouse.jobs.distill.DistillJob;
import io.stillhouse.jobs.distill.DistillRequest;
import io.stillhouse.jobs.distill.PrintedLines;
import io.stillhouse.jobs.evaluate.EvaluateJob;
import io.stillhouse.jobs.evaluate.Evaluation;
import io.stillhouse.jobs.heads.HeadImportanceJob;
import io.stillhouse.jobs.train.StagedTraining;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.recipe.Sweep;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Runs every recipe in {@code conf/} with {@code smoke=true}, from its teacher and text to its
 * metrics. The teachers are narrow, but have the 12 blocks and 12 heads that the recipes expect.
 */
@Tag("spark")
@Tag("slow")
class RecipesTest {
  private static final Path RECIPES = Path.of("../conf");
  private static final int WIDTH = 48;

  @TempDir private static Path directory;

  private final SparkSession spark = Tiny.spark();

  static List<String> recipes() throws IOException {
    try (Stream<Path> files = Files.list(RECIPES)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".conf") && !name.startsWith("spark-"))
          .sorted()
          .toList();
    }
  }

  /** Copies the recipes, because no argument can replace a path inside a list. */
  @BeforeAll
  static void writeTeachersTextAndRecipes() throws IOException {
    teacher("masked-lm", Head.MASKED_LM, 5);
    teacher("classifier", new Head(Task.CLASSIFICATION, List.of("0", "1")), 5);
    teacher("another-classifier", new Head(Task.CLASSIFICATION, List.of("0", "1")), 6);
    Tiny.lines(directory.resolve("prose.txt"), 80);
    Files.createDirectory(directory.resolve("conf"));
    for (String recipe : recipes()) {
      String text = Files.readString(RECIPES.resolve(recipe));
      Files.writeString(
          directory.resolve("conf").resolve(recipe),
          text.replace("cache.path = cache-general", "cache.path = \"" + at("cache-general") + "\"")
              .replace("teacher.path = q/teacher", "teacher.path = \"" + at("masked-lm") + "\"")
              .replace("cache = cache-sst2-second", "cache = \"" + at("cache-second") + "\"")
              .replace("path = prose.txt", "path = \"" + at("prose.txt") + "\""));
    }
  }

  @ParameterizedTest
  @MethodSource("recipes")
  @Timeout(value = 15, unit = TimeUnit.MINUTES) // only against a run that hangs
  void runsWholeRecipe(String recipe) throws IOException {
    Settings named = settings(recipe, List.of());
    boolean prose =
        named.get(Options.CORPUS_FORMAT).equals("text") || recipe.equals("distilbert-small.conf");
    Path own = Files.createDirectory(directory.resolve(recipe.replace(".conf", "")));
    List<String> places = new ArrayList<>();
    places.add("teacher.path=" + at(prose ? "masked-lm" : "classifier"));
    places.add(
        "corpus.path="
            + (prose && !has(named, "corpus.text") ? at("prose.txt") : table(named, own)));
    if (named.has(Options.AUGMENT_TO)) {
      augment(recipe, own, places);
      return;
    }
    places.add("cache.path=" + own.resolve("cache"));
    places.add("train.path=" + own.resolve("students"));
    places.add("evaluate.output=" + own.resolve("evaluation.json"));
    places.add("evaluate.path=" + places.get(1).substring("corpus.path=".length()));
    places.addAll(asWideAsTheTeacher(named));
    if (recipe.equals("distilbert-sst2.conf")) {
      places.add("student.init=" + generalStudent());
    }
    if (recipe.equals("pruned-sst2.conf")) {
      places.add("head-importance.output=" + own.resolve("heads.json"));
      places.add("student.head-importance=" + own.resolve("heads.json"));
      assertThat(new HeadImportanceJob(spark, settings(recipe, places)).run().blocks()).hasSize(12);
    }
    if (recipe.equals("two-teachers-sst2.conf")) {
      String[] second = {
        "teacher.path=" + at("another-classifier"),
        "cache.path=" + at("cache-second"),
        "targets.hidden=[]",
        "targets.attention=[]"
      };
      new CacheJob(spark, settings(recipe, places, second)).run();
    }
    if (recipe.equals("tinybert4-general.conf")) {
      cacheOfGeneralStage(recipe, places);
    }
    new CacheJob(spark, settings(recipe, places)).run();
    if (named.has(Options.VALIDATION)) {
      places.add("train.validation=" + own.resolve("validation"));
      new CacheJob(spark, settings(recipe, places, "cache.path=" + own.resolve("validation")))
          .run();
    }
    Settings whole = settings(recipe, places);
    boolean sweeps = !Sweep.students(whole).isEmpty();
    if (sweeps) {
      assertThat(StagedTraining.sweep(spark, whole).exitCode()).isZero();
    } else {
      assertThat(StagedTraining.train(spark, whole).students()).isNotEmpty();
    }
    if (prose && named.get(Options.MLM_LOGITS).equals("none")) {
      return; // the head of such a student is untrained
    }
    Evaluation evaluation = new EvaluateJob(spark, whole).run();
    assertThat(evaluation.models().size()).isGreaterThan(1);
    assertThat(own.resolve("evaluation.json")).exists();
  }

  /** Runs the README's command from a CSV file to an exported student. */
  @Test
  void readmeCommandExportsStudentOfTable() throws IOException {
    Path own = Files.createDirectory(directory.resolve("own-table"));
    String rows = Files.readString(Tiny.labelled(own.resolve("rows.tsv"), 120, "yes", "no"));
    String readme = Files.readString(RECIPES.resolveSibling("README.md"));
    String section = readme.substring(readme.indexOf("## From your own table"));
    List<String> words = List.of(section.split("```")[1].strip().split(" "));
    assertThat(words).hasSize(4).startsWith("jobs/bin/stillhouse", "distill");
    Path table = own.resolve(words.get(2));
    Path to = own.resolve(words.get(3));
    Files.writeString(
        table, rows.replace("text\t", "sentence\t").replace(",", "").replace('\t', ','));
    DistillRequest request =
        DistillRequest.of(
            table.toString(),
            to,
            List.of(
                "teacher.path=" + at("masked-lm"),
                "smoke=true",
                "evaluate.speed=false",
                "train.threads=1"));

    new DistillJob(spark, request.settings(), request, new PrintedLines()).run();

    assertThat(HuggingFaceDirectory.open(to.resolve("export")).spec().head().labels())
        .containsExactly("no", "yes");
  }

  private void augment(String recipe, Path own, List<String> places) throws IOException {
    places.add("augment.to=" + own.resolve("larger"));
    places.add("augment.model=" + at("masked-lm"));
    places.add("augment.stop-words=replaced"); // most of the tiny vocabulary
    new AugmentJob(spark, settings(recipe, places)).run();
    assertThat(own.resolve("larger/_augment.json")).exists();
  }

  /**
   * Returns settings for a student that starts from the blocks of a teacher or of another student.
   * It has their width: BERT-base's in the recipe, the tiny teacher's here.
   */
  private static List<String> asWideAsTheTeacher(Settings named) {
    boolean fromTeacher = named.get(Options.STUDENT_INIT).equals("teacher");
    boolean fromStudent = named.get(Options.STUDENT_INIT).contains("/");
    boolean encoder = !named.get(Options.ARCHITECTURE).equals("bilstm");
    if (!encoder || !(fromTeacher || fromStudent) || has(named, "sweep.students")) {
      return List.of();
    }
    assertThat(named.get(Options.STUDENT_HIDDEN)).isIn(0, 768);
    assertThat(named.get(Options.STUDENT_INTERMEDIATE)).isIn(0, 3072);
    return List.of("student.hidden-size=0", "student.intermediate-size=0");
  }

  private Path generalStudent() throws IOException {
    Path own = directory.resolve("general");
    List<String> places =
        List.of(
            "teacher.path=" + at("masked-lm"),
            "corpus.path=" + at("prose.txt"),
            "cache.path=" + own.resolve("cache"),
            "train.path=" + own.resolve("students"));
    new CacheJob(spark, settings("distilbert.conf", places)).run();
    StagedTraining.train(spark, settings("distilbert.conf", places));
    return own.resolve("students/distilbert");
  }

  private void cacheOfGeneralStage(String recipe, List<String> places) throws IOException {
    new CacheJob(
            spark,
            settings(
                recipe,
                places,
                "teacher.path=" + at("masked-lm"),
                "corpus.path=" + at("prose.txt"),
                "corpus.format=text",
                "corpus.text=",
                "corpus.label=",
                "corpus.max-length=128",
                "targets.mlm-logits=none",
                "cache.path=" + at("cache-general")))
        .run();
  }

  private static Settings settings(String recipe, List<String> places, String... more) {
    List<String> all = new ArrayList<>(places);
    all.addAll(List.of("smoke=true", "train.threads=1"));
    all.addAll(List.of(more));
    return Recipe.prepare(Settings.parse(directory.resolve("conf").resolve(recipe), all));
  }

  private static boolean has(Settings settings, String key) {
    return !settings.allValues().getOrDefault(key, "").isEmpty()
        && !settings.allValues().get(key).equals("[]");
  }

  /** Writes a table with the columns that a recipe reads. */
  private static Path table(Settings named, Path own) throws IOException {
    Random random = new Random(3);
    StringBuilder table = new StringBuilder();
    List<String> head = new ArrayList<>();
    for (String role : List.of("id", "text", "pair", "label")) {
      if (has(named, "corpus." + role)) {
        head.add(named.allValues().get("corpus." + role));
      }
    }
    table.append(String.join("\t", head)).append('\n');
    for (int row = 0; row < 64; row++) {
      List<String> cells = new ArrayList<>();
      if (has(named, "corpus.id")) {
        cells.add("row-" + row);
      }
      cells.add(Tiny.words(random, 3 + random.nextInt(12)));
      if (has(named, "corpus.pair")) {
        cells.add(Tiny.words(random, 3 + random.nextInt(8)));
      }
      if (has(named, "corpus.label")) {
        cells.add(Integer.toString(row % 2));
      }
      table.append(String.join("\t", cells)).append('\n');
    }
    return Files.writeString(own.resolve("rows.tsv"), table);
  }

  private static Path at(String name) {
    return directory.resolve(name);
  }

  private static void teacher(String name, Head head, long seed) throws IOException {
    EncoderSpec golden = HuggingFaceDirectory.open(Tiny.MLM).spec();
    EncoderSpec spec =
        new EncoderSpec(
            new EncoderSpec.Embeddings(golden.embeddings().vocabSize(), 128, 2, 0),
            new EncoderSpec.Blocks(12, WIDTH, 12, 2 * WIDTH),
            golden.numerics(),
            head);
    try (NDManager manager = NDManager.newBaseManager()) {
      HuggingFaceDirectory.write(at(name), spec, StudentInit.random(manager, spec, seed), Tiny.MLM);
    }
  }
}
