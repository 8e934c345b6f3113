package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.NamedTask;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.config.Smoke;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.Architecture;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.LayerMap;
import io.stillhouse.spec.Metric;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Turns settings into the specs that jobs take, and checks conditions between keys. */
public final class Recipe {
  /** Segments of a pair of texts. */
  private static final int SEGMENTS = 2;

  private Recipe() {}

  /** Fills in the values of a named task, and applies {@code smoke}. */
  public static Settings prepare(Settings settings) {
    return shrink(NamedTask.withTaskDefaults(settings));
  }

  /** Returns smaller settings if {@code smoke = true}, otherwise the given ones. */
  public static Settings shrink(Settings settings) {
    return Smoke.shrink(settings);
  }

  /** Returns the corpus without {@code corpus.unlabelled}. */
  public static CorpusSpec corpus(Settings settings) {
    return corpus(settings, settings.get(Options.CORPUS_PATH));
  }

  /**
   * Returns the corpus to cache, including the rows of {@code corpus.unlabelled}.
   *
   * @throws io.stillhouse.error.StillhouseException if there are unlabelled files but no label
   *     column
   */
  public static CorpusSpec cachedCorpus(Settings settings) {
    List<String> unlabelled = settings.get(Options.CORPUS_UNLABELLED);
    if (!unlabelled.isEmpty() && !labelled(settings)) {
      throw Errors.invalid(
          format(
              "corpus.unlabelled is %s, but corpus.label is not set, so no row has a label",
              unlabelled),
          "set corpus.label, or name all files in corpus.path");
    }
    return corpus(settings).withUnlabelled(unlabelled);
  }

  /** Returns the spec of other files in the format of the corpus. */
  public static CorpusSpec corpus(Settings settings, List<String> paths) {
    if (paths.isEmpty()) {
      throw Errors.invalid("corpus.path is empty", "set it to a file or directory");
    }
    return new CorpusSpec(
        paths,
        CorpusSpec.Format.of(settings.get(Options.CORPUS_FORMAT)),
        settings.get(Options.CORPUS_HEADER)
            ? CorpusSpec.HeaderRow.PRESENT
            : CorpusSpec.HeaderRow.ABSENT,
        settings.get(Options.CORPUS_ENCODING),
        new CorpusSpec.Columns(
            column(settings, Options.CORPUS_TEXT),
            column(settings, Options.CORPUS_PAIR),
            column(settings, Options.CORPUS_LABEL),
            column(settings, Options.CORPUS_ID)),
        settings.get(Options.CORPUS_LIMIT));
  }

  private static @Nullable String column(Settings settings, Option<String> option) {
    String name = settings.get(option);
    return name.isEmpty() ? null : name;
  }

  /** Returns whether the corpus has labels. */
  public static boolean labelled(Settings settings) {
    return !settings.get(Options.CORPUS_LABEL).isEmpty();
  }

  /** Requires the given options, and those that describe the student. */
  public static Settings requireStudent(Settings settings, Option<?>... others) {
    List<Option<?>> required = new ArrayList<>(List.of(others));
    if (!isBiLstm(settings)) {
      required.add(Options.STUDENT_LAYERS);
    }
    return settings.require(required.toArray(Option<?>[]::new));
  }

  private static boolean isBiLstm(Settings settings) {
    return settings.get(Options.ARCHITECTURE).equals("bilstm");
  }

  /**
   * Returns the spec of the student, which has its teacher's vocabulary and head.
   *
   * @param widthOfFile returns the width of the word vectors in a file
   */
  public static ModelSpec student(
      Settings settings, EncoderSpec teacher, ToIntFunction<String> widthOfFile) {
    return isBiLstm(settings)
        ? BiLstmRecipe.student(settings, teacher, widthOfFile)
        : encoder(settings, teacher);
  }

  /** Returns the spec of an encoder student. */
  public static EncoderSpec encoder(Settings settings, EncoderSpec teacher) {
    int width = orElse(settings.get(Options.STUDENT_HIDDEN), teacher.hiddenSize());
    int heads = orElse(settings.get(Options.STUDENT_HEADS), teacher.heads());
    int inner =
        orElse(
            settings.get(Options.STUDENT_INTERMEDIATE),
            width == teacher.hiddenSize() ? teacher.blocks().intermediateSize() : 4 * width);
    if (width % heads != 0) {
      throw Errors.invalid(
          format("student.hidden-size (%d) must be a multiple of student.heads (%d)", width, heads),
          "change one of them");
    }
    Architecture architecture = value(Architecture.class, settings.get(Options.ARCHITECTURE));
    if (settings.has(Options.WORD_VECTORS) || settings.has(Options.WORD_VECTOR_SIZE)) {
      throw Errors.invalid(
          format(
              "student.word-vectors and student.word-vector-size are settings of a BiLSTM, but"
                  + " student.architecture is %s",
              settings.get(Options.ARCHITECTURE)),
          "remove them, or set student.architecture=bilstm");
    }
    boolean bothMap = architecture.mapsEmbeddings() && teacher.architecture().mapsEmbeddings();
    int embeddingSize =
        orElse(settings.get(Options.STUDENT_EMBEDDING), bothMap ? teacher.embeddingSize() : width);
    if (embeddingSize != width && !architecture.mapsEmbeddings()) {
      throw Errors.invalid(
          format(
              "student.embedding-size is %d, but architecture %s has embedding tables of the hidden"
                  + " states' width, %d",
              embeddingSize, settings.get(Options.ARCHITECTURE), width),
          "set student.architecture=albert, or remove the key");
    }
    double eps =
        architecture == Architecture.DISTILBERT
            ? Architecture.DISTILBERT_EPS
            : teacher.numerics().layerNormEps();
    double dropout = settings.get(Options.STUDENT_DROPOUT);
    return new EncoderSpec(
        architecture,
        embeddingSize,
        tables(architecture, teacher.embeddings()),
        new EncoderSpec.Blocks(
            settings.get(Options.STUDENT_LAYERS),
            width,
            heads,
            inner,
            teacher.blocks().activation()),
        new EncoderSpec.Numerics(eps, dropout, dropout, dropout),
        teacher.head());
  }

  /** Returns tables for the teacher's vocabulary, with segments if the architecture has them. */
  private static EncoderSpec.Embeddings tables(
      Architecture architecture, EncoderSpec.Embeddings teacher) {
    int segments = teacher.typeVocabSize() == 0 ? SEGMENTS : teacher.typeVocabSize();
    return new EncoderSpec.Embeddings(
        teacher.vocabSize(),
        teacher.maxPositions(),
        architecture.hasSegments() ? segments : 0,
        teacher.padTokenId());
  }

  /**
   * Returns the metrics of a task, the most important first.
   *
   * @throws io.stillhouse.error.StillhouseException if the recipe names a metric of another task
   */
  public static List<Metric> metrics(Settings settings, Task task) {
    List<Metric> taskMetrics = Metric.of(task);
    List<Metric> named =
        settings.get(Options.EVALUATE_METRICS).stream().map(Metric::named).distinct().toList();
    if (!taskMetrics.isEmpty() && !taskMetrics.containsAll(named)) {
      throw Errors.invalid(
          format(
              "evaluate.metrics names %s, but a %s task has %s",
              named.stream().map(Metric::id).toList(),
              task.name().toLowerCase(Locale.ROOT),
              taskMetrics.stream().map(Metric::id).toList()),
          "choose from these");
    }
    return named.isEmpty() ? taskMetrics : named;
  }

  /** Returns the teacher blocks that initialize the student's blocks, counted from 1. */
  public static List<Integer> initLayers(
      Settings settings, EncoderSpec student, EncoderSpec teacher) {
    List<Integer> blocks = settings.get(Options.INIT_LAYERS);
    if (blocks.isEmpty()) {
      LayerMap map = LayerMap.parse(settings.get(Options.LAYER_MAP));
      return map.teacherLayers(student.layers(), teacher.layers()).subList(1, student.layers() + 1);
    }
    boolean oneForAll = student.distinctBlocks() == 1 && blocks.size() == 1;
    if (blocks.size() != student.layers() && !oneForAll
        || blocks.stream().anyMatch(block -> block < 1 || block > teacher.layers())) {
      throw Errors.invalid(
          format(
              "student.init-layers %s must name one block from 1 to %d for each of the student's"
                  + " %d",
              blocks, teacher.layers(), student.layers()),
          format("list %d numbers", student.layers()));
    }
    return blocks;
  }

  /**
   * Returns how students are trained.
   *
   * @param cores the cores of a task, used for {@code train.threads = 0}
   */
  public static TrainSpec train(Settings settings, int cores) {
    return new TrainSpec(
        settings.get(Options.EPOCHS),
        new TrainSpec.Batching(
            settings.get(Options.BATCH_SIZE),
            settings.get(Options.MICRO_BATCH_TOKENS),
            settings.get(Options.SHUFFLE_SHARDS),
            value(TrainSpec.Order.class, settings.get(Options.ORDER))),
        new TrainSpec.Optimizer(
            settings.get(Options.LEARNING_RATE),
            settings.get(Options.WARMUP_STEPS),
            new TrainSpec.Betas(
                settings.get(Options.BETA1),
                settings.get(Options.BETA2),
                settings.get(Options.EPSILON)),
            settings.get(Options.WEIGHT_DECAY),
            settings.get(Options.MAX_GRAD_NORM)),
        new TrainSpec.Rounds(
            settings.get(Options.WORKERS),
            settings.get(Options.ROUND_STEPS),
            new TrainSpec.Outer(
                settings.get(Options.OUTER_RATE),
                settings.get(Options.OUTER_MOMENTUM),
                settings.get(Options.MAX_BAD_ROUNDS)),
            new TrainSpec.Inner(
                value(TrainSpec.Moments.class, settings.get(Options.MOMENTS)),
                settings.get(Options.ROUND_WARMUP),
                value(TrainSpec.Delta.class, settings.get(Options.DELTA_DTYPE))),
            settings.get(Options.LOOKAHEAD)),
        new TrainSpec.Run(
            settings.get(Options.MAX_STEPS),
            settings.get(Options.SEED),
            orElse(settings.get(Options.THREADS), cores),
            settings.get(Options.CHECKPOINT_EVERY),
            value(Precision.class, settings.get(Options.TRAIN_PRECISION))));
  }

  /**
   * Returns which weights a training keeps.
   *
   * @param loss weights are chosen by the loss if the task has no metric or the head is not trained
   * @param validation whether there are rows to choose weights by; {@link ValidationRows#CHOOSE}
   *     keeps the best weights by default
   * @throws io.stillhouse.error.StillhouseException if the best weights are to be kept, but there
   *     are no validation rows or the training runs in rounds; or if the last weights are kept, but
   *     the recipe sets an evaluation interval or patience
   */
  public static TrainSpec.Selection selection(
      Settings settings, Task task, DistillSpec loss, ValidationRows validation) {
    String keep = settings.get(Options.KEEP);
    boolean best =
        keep.equals("best") || keep.equals("auto") && validation == ValidationRows.CHOOSE;
    if (!best) {
      List<String> useless =
          Stream.of(Options.EARLY_STOPPING_PATIENCE, Options.EVAL_EVERY)
              .filter(option -> settings.get(option) != 0)
              .map(
                  option ->
                      format(
                          "%s is %d, but the last weights are kept and nothing is evaluated during"
                              + " training; set train.keep=best, or remove the key",
                          option.key(), settings.get(option)))
              .toList();
      if (!useless.isEmpty()) {
        throw Errors.all(useless);
      }
      return TrainSpec.Selection.LAST;
    }
    List<String> problems = new ArrayList<>();
    if (validation == ValidationRows.NONE) {
      problems.add(
          "train.keep is best, but there are no validation rows to choose weights by; set"
              + " train.validation (finetune: finetune.validation), or train.keep=last");
    }
    if (settings.get(Options.WORKERS) > 1 || settings.get(Options.LOOKAHEAD)) {
      problems.add(
          "train.keep is best, but training in rounds keeps the last weights; set"
              + " train.keep=last, or train.workers=1");
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    boolean measured = !Metric.of(task).isEmpty() && loss.trainsHead();
    return new TrainSpec.Selection(
        TrainSpec.Keep.BEST,
        measured ? metrics(settings, task).get(0).id() : "loss",
        settings.get(Options.EVAL_EVERY),
        settings.get(Options.EARLY_STOPPING_PATIENCE));
  }

  /** How validation rows, which are not trained on, are used. */
  public enum ValidationRows {
    /** There are none. */
    NONE,
    /** The student is measured on them and the result is reported. */
    MEASURE,
    /** They also determine which weights are kept, unless the recipe says otherwise. */
    CHOOSE
  }

  static int orElse(int value, int zero) {
    return value == 0 ? zero : value;
  }

  static <E extends Enum<E>> E value(Class<E> type, String name) {
    return Enum.valueOf(type, name.toUpperCase(Locale.ROOT).replace('-', '_'));
  }
}
