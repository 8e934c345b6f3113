package io.stillhouse.jobs.finetune;

import static io.stillhouse.error.Text.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.ListText;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.InputsJob;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Models;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.recipe.TrainingCache;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.ModelCheck;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains an encoder on hard labels alone: a student's training over a cache that holds inputs but
 * no targets. Intermediate files are kept in a directory next to the result, so that a restart
 * resumes.
 */
public final class FinetuneJob {
  private static final Logger LOG = LoggerFactory.getLogger(FinetuneJob.class);
  private static final String SMOKE_ROWS = "64";

  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final HuggingFaceDirectory base;
  private final Path destination;
  private final TrainSpec.Selection selection;

  /**
   * The fine-tuned encoder.
   *
   * @param directory the directory of the encoder
   * @param training how it was trained; null if an earlier run, which was killed, had already
   *     trained it
   * @param leftOut how many invalid rows were left out of training and validation, and why
   * @param notes what the user should know about the labels
   */
  public record Result(
      String directory,
      @Nullable TrainedStudent training,
      List<String> leftOut,
      List<String> notes) {

    /**
     * Returns what users should know: the measurements on the held-out rows, and whether the
     * training may have ended too early.
     */
    public List<String> lines() {
      if (training == null || training.losses().validation().isEmpty()) {
        return List.of();
      }
      TrainSpec.KeptStep chosen = training.training().chosen();
      StringBuilder measured = new StringBuilder("on the held-out rows:");
      training
          .losses()
          .validation()
          .forEach(
              (name, value) -> {
                if (!name.equals("hard-label")) {
                  measured.append(format(" %s %.4f", name, value));
                }
              });
      if (chosen == null) {
        return List.of(measured.toString());
      }
      measured.append(format(", best at step %,d of %,d", chosen.step(), training.steps()));
      return chosen.step() < training.steps()
          ? List.of(measured.toString())
          : List.of(
              measured.toString(),
              "not converged: the last measurement is the best one, so train for more epochs");
    }
  }

  /**
   * Checks the recipe.
   *
   * @throws io.stillhouse.error.StillhouseException if the encoder or the label column is missing,
   *     or the result already exists
   */
  public FinetuneJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    String from =
        settings.get(Options.FINETUNE_FROM).isEmpty()
            ? settings.get(Options.TEACHER)
            : settings.get(Options.FINETUNE_FROM);
    Path existing = storage.requireExisting("finetune.from", from);
    this.base = Models.openTeacher(storage.local(existing));
    this.destination = storage.qualify(settings.get(Options.FINETUNE_TO));
    if (storage.exists(destination)) {
      throw Errors.invalid(
          format("finetune.to '%s' exists already", destination),
          "remove it, or set another directory");
    }
    LabelHead.check(settings);
    ModelCheck.of(settings, existing.getName(), base.spec()).requireReads();
    this.selection =
        Recipe.selection(
            settings,
            LabelHead.task(settings),
            hardLabels(base.spec().layers()),
            settings.get(Options.FINETUNE_VALIDATION).isEmpty()
                ? Recipe.ValidationRows.NONE
                : Recipe.ValidationRows.CHOOSE);
  }

  /** Trains the encoder and moves it into place. */
  public Result run() throws IOException {
    LabelHead labels = LabelHead.read(spark, settings);
    EncoderSpec spec = base.spec().withHead(labels.head());
    Path work = new Path(destination.getParent(), "_" + destination.getName() + "-work");
    java.nio.file.Path start = Files.createTempDirectory("stillhouse-finetune");
    List<String> leftOut;
    try {
      leftOut = cacheInputs(work, writeStart(spec, start));
    } finally {
      FileUtils.deleteDirectory(start.toFile());
    }
    CacheReader inputs = CacheReader.open(storage, inputs(work), List.of());
    StudentRun run = studentRun(work, spec, inputs);
    LOG.info("finetune: training '{}', with intermediate files in '{}'", destination, work);
    TrainJob.Result result = new TrainJob(spark, settings, run, inputs).run();
    storage.rename(run.directory(), destination);
    storage.fileSystem(work).delete(work, true);
    return new Result(
        destination.toString(),
        result.students().isEmpty() ? null : result.students().get(0),
        leftOut,
        labels.notes());
  }

  /** Writes the encoder with its new head, whose random weights depend on the seed alone. */
  private HuggingFaceDirectory writeStart(EncoderSpec spec, java.nio.file.Path directory)
      throws IOException {
    try (NDManager manager = Devices.cpu()) {
      Map<String, NDArray> weights =
          StudentInit.from(manager, spec, base, allBlocks(spec), settings.get(Options.SEED));
      HuggingFaceDirectory.write(directory, spec, weights, base.path());
    }
    return HuggingFaceDirectory.open(directory);
  }

  private static List<Integer> allBlocks(EncoderSpec spec) {
    return IntStream.rangeClosed(1, spec.layers()).boxed().toList();
  }

  private static Path inputs(Path work) {
    return new Path(work, "inputs");
  }

  private @Nullable Path validation(Path work) {
    return settings.get(Options.FINETUNE_VALIDATION).isEmpty()
        ? null
        : new Path(work, "validation");
  }

  /** Caches the training rows and the validation rows. A first run that fails leaves no files. */
  private List<String> cacheInputs(Path work, HuggingFaceDirectory start) throws IOException {
    boolean fresh = !storage.exists(work);
    boolean cached = false;
    List<String> leftOut = new ArrayList<>();
    try {
      cacheInputs(inputs(work), Map.of(), start).ifPresent(leftOut::add);
      Path validation = validation(work);
      if (validation != null) {
        Map<String, String> rows =
            Map.of(
                Options.CORPUS_PATH.key(),
                ListText.write(settings.get(Options.FINETUNE_VALIDATION)),
                Options.CORPUS_LIMIT.key(),
                settings.get(Options.SMOKE) ? SMOKE_ROWS : "0");
        cacheInputs(validation, rows, start).ifPresent(line -> leftOut.add("validation: " + line));
      }
      cached = true;
      return leftOut;
    } finally {
      if (fresh && !cached) {
        storage.fileSystem(work).delete(work, true);
      }
    }
  }

  private Optional<String> cacheInputs(
      Path cache, Map<String, String> rows, HuggingFaceDirectory start) throws IOException {
    Map<String, String> values = new HashMap<>(rows);
    values.put(Options.CACHE.key(), cache.toString());
    // Fine-tuning has one seed, which also determines the order of the cache's rows.
    values.put(Options.CACHE_SEED.key(), settings.get(Options.SEED).toString());
    return new InputsJob(spark, settings.with(values), start).run();
  }

  private StudentRun studentRun(Path work, EncoderSpec spec, CacheReader inputs) {
    Path cache = inputs(work);
    Path validation = validation(work);
    DistillSpec loss =
        hardLabels(spec.layers())
            .withClassWeights(
                LossRecipe.classWeights(
                    settings, spec.head(), () -> TrainingCache.countClasses(inputs)));
    return new StudentRun(
            destination.getName(),
            spec,
            loss,
            Recipe.train(settings, Sessions.coresOfOneTask(spark)),
            new StudentRun.Start(new Path(cache, TeacherFolder.NAME).toString(), allBlocks(spec)),
            new StudentRun.Paths(
                cache.toString(),
                "",
                StudentRun.TargetStorage.NONE,
                validation == null ? null : validation.toString(),
                new Path(work, "students").toString(),
                inputs.plan().fingerprints()))
        .withSelection(selection);
  }

  private static DistillSpec hardLabels(int layers) {
    return new DistillSpec(
        IntStream.rangeClosed(0, layers).boxed().toList(),
        new DistillSpec.SoftLabel(0, DistillSpec.Kind.KL, 1, DistillSpec.Positions.MASKED),
        1,
        DistillSpec.Hidden.NONE,
        0,
        DistillSpec.Relations.NONE);
  }
}
