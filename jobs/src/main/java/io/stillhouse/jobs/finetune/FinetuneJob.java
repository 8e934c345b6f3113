package io.stillhouse.jobs.finetune;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.build.InputsJob;
import io.stillhouse.jobs.cache.layout.TeacherFolder;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.Corpus;
import io.stillhouse.jobs.corpus.SourceRow;
import io.stillhouse.jobs.spark.Devices;
import io.stillhouse.jobs.spark.Sessions;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.TrainJob;
import io.stillhouse.jobs.train.student.RunPlanner;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.jobs.train.student.TrainTask;
import io.stillhouse.recipe.LossRecipe;
import io.stillhouse.recipe.Recipe;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LabelSet;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.text.LabelCodec;
import io.stillhouse.train.StudentInit;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * Trains an encoder on hard labels alone: the trainer of students, over a cache that holds inputs
 * but no targets. Work lies in a hidden directory beside the result, and a restart goes on there.
 */
public final class FinetuneJob {
  private final SparkSession spark;
  private final Settings settings;
  private final Storage storage;
  private final HuggingFaceDirectory base;
  private final Path destination;
  private final TrainSpec.Selection selection;

  /** Where the fine-tuned encoder lies, and how its training went. */
  public record Result(String directory, TrainTask.Trained training) {}

  /**
   * Checks the recipe.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no encoder or no label column, or
   *     the result is there already
   */
  public FinetuneJob(SparkSession spark, Settings settings) throws IOException {
    this.spark = spark;
    this.settings = settings;
    this.storage = new Storage(spark.sparkContext().hadoopConfiguration());
    String from =
        settings.get(Options.FINETUNE_FROM).isEmpty()
            ? settings.get(Options.TEACHER)
            : settings.get(Options.FINETUNE_FROM);
    this.base =
        HuggingFaceDirectory.open(storage.local(storage.requireExisting("finetune.from", from)));
    this.destination = storage.qualify(settings.get(Options.FINETUNE_TO));
    if (storage.exists(destination)) {
      throw Errors.invalid(
          "finetune.to '%s' exists already".formatted(destination), "remove it, or name another");
    }
    if (task() != Task.MASKED_LM && !Recipe.labelled(settings)) {
      throw Errors.invalid(
          "corpus.label is missing, and finetune learns from labels", "name the column");
    }
    this.selection =
        Recipe.selection(
            settings,
            task(),
            hardLabels(base.spec().layers()),
            settings.get(Options.FINETUNE_VALIDATION).isEmpty()
                ? Recipe.ValidationRows.NONE
                : Recipe.ValidationRows.CHOOSE);
  }

  private Task task() {
    return switch (settings.get(Options.FINETUNE_TASK)) {
      case "regression" -> Task.REGRESSION;
      case "multi-label" -> Task.MULTI_LABEL;
      case "masked-lm" -> Task.MASKED_LM;
      default -> Task.CLASSIFICATION;
    };
  }

  /** Trains and moves the result into place. */
  public Result run() throws IOException {
    EncoderSpec spec = base.spec().withHead(head());
    Path work = new Path(destination.getParent(), "_" + destination.getName() + "-work");
    Path cache = new Path(work, "inputs");
    Path validation =
        settings.get(Options.FINETUNE_VALIDATION).isEmpty() ? null : new Path(work, "held-out");
    java.nio.file.Path start = Files.createTempDirectory("stillhouse-finetune");
    try (NDManager manager = Devices.cpu()) {
      // The start is the encoder under its new head, whose random weights depend on the seed alone.
      List<Integer> blocks = IntStream.rangeClosed(1, spec.layers()).boxed().toList();
      Map<String, NDArray> weights =
          StudentInit.from(manager, spec, base, blocks, settings.get(Options.SEED));
      HuggingFaceDirectory.write(start, spec, weights, base.path());
      HuggingFaceDirectory headed = HuggingFaceDirectory.open(start);
      boolean fresh = !storage.exists(work);
      boolean cached = false;
      try {
        // One seed is behind a fine-tuned model: that of the training also orders the rows.
        String seed = settings.get(Options.SEED).toString();
        new InputsJob(
                spark,
                settings.with(
                    Map.of(Options.CACHE.key(), cache.toString(), Options.CACHE_SEED.key(), seed)),
                headed)
            .run();
        if (validation != null) {
          new InputsJob(
                  spark,
                  settings.with(
                      Map.of(
                          Options.CACHE.key(),
                          validation.toString(),
                          Options.CACHE_SEED.key(),
                          seed,
                          Options.CORPUS_PATH.key(),
                          settings.get(Options.FINETUNE_VALIDATION).toString(),
                          Options.CORPUS_LIMIT.key(),
                          settings.get(Options.SMOKE) ? "64" : "0")),
                  headed)
              .run();
        }
        cached = true;
      } finally {
        if (fresh && !cached) {
          storage.fileSystem(work).delete(work, true);
        }
      }
      CacheReader inputs = CacheReader.open(storage, cache, List.of());
      StudentRun run =
          new StudentRun(
                  destination.getName(),
                  spec,
                  hardLabels(spec.layers())
                      .withClassWeights(
                          LossRecipe.classWeights(
                              settings, spec.head(), () -> RunPlanner.rowsOfClasses(inputs))),
                  Recipe.train(settings, Sessions.coresOfOneTask(spark)),
                  new StudentRun.Start(new Path(cache, TeacherFolder.NAME).toString(), blocks),
                  new StudentRun.Paths(
                      cache.toString(),
                      "",
                      StudentRun.TargetStorage.NOTHING,
                      validation == null ? null : validation.toString(),
                      new Path(work, "students").toString(),
                      inputs.plan().fingerprints()))
              .selecting(selection);
      TrainJob.Result result = new TrainJob(spark, settings, run).run();
      storage.rename(run.directory(), destination);
      storage.fileSystem(work).delete(work, true);
      return new Result(
          destination.toString(), result.students().isEmpty() ? null : result.students().get(0));
    } finally {
      FileUtils.deleteDirectory(start.toFile());
    }
  }

  private Head head() {
    boolean severalLabels = task() == Task.MULTI_LABEL;
    if (!severalLabels && task() != Task.CLASSIFICATION) {
      return task() == Task.REGRESSION ? Head.REGRESSION : Head.MASKED_LM;
    }
    List<String> classes = settings.get(Options.CORPUS_CLASSES);
    if (classes.isEmpty()) {
      classes =
          Corpus.read(spark, Recipe.corpus(settings))
              .rows()
              .map(SourceRow::label)
              .flatMap(
                  label ->
                      (severalLabels
                              ? LabelCodec.split(label)
                              : label == null || label.isBlank()
                                  ? List.<String>of()
                                  : List.of(label.strip())) // as rows are read by them
                          .iterator())
              .distinct()
              .collect()
              .stream()
              .sorted()
              .toList();
    }
    if (severalLabels && (classes.isEmpty() || classes.size() > LabelSet.MOST)) {
      throw Errors.invalid(
          "corpus.label '%s' holds %d labels, not 1 to %d"
              .formatted(settings.get(Options.CORPUS_LABEL), classes.size(), LabelSet.MOST),
          "name the column of the labels, vertical bars between them");
    }
    if (!severalLabels && classes.size() < 2) {
      throw Errors.invalid(
          "corpus.label '%s' holds %d classes %s"
              .formatted(settings.get(Options.CORPUS_LABEL), classes.size(), classes),
          "name the column of the labels, or set finetune.task=regression");
    }
    return new Head(task(), classes);
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
