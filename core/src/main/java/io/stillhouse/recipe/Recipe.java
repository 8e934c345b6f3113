package io.stillhouse.recipe;

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

/** Turns settings into the specs that jobs take, checking what no single key can. */
public final class Recipe {
  /** Texts of a pair. */
  private static final int SEGMENTS = 2;

  private Recipe() {}

  /** Fills in the values of a named task, and applies {@code smoke}. */
  public static Settings prepared(Settings settings) {
    return shrunk(NamedTask.filled(settings));
  }

  /** Returns smaller settings if they say {@code smoke = true}, else the given ones. */
  public static Settings shrunk(Settings settings) {
    return Smoke.shrunk(settings);
  }

  /** Returns the corpus to cache. */
  public static CorpusSpec corpus(Settings settings) {
    return corpus(settings, settings.get(Options.CORPUS_PATH));
  }

  /** Returns other files laid out as the corpus. */
  public static CorpusSpec corpus(Settings settings, List<String> paths) {
    if (paths.isEmpty()) {
      throw Errors.invalid("corpus.path is empty", "name a file or directory");
    }
    return new CorpusSpec(
        paths,
        CorpusSpec.Format.of(settings.get(Options.CORPUS_FORMAT)),
        settings.get(Options.CORPUS_HEADER)
            ? CorpusSpec.HeaderRow.PRESENT
            : CorpusSpec.HeaderRow.ABSENT,
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

  /** Checks that a recipe names what it must, and what its student must have. */
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
   * Returns the student's shape under its teacher's vocabulary and head.
   *
   * @param widthOfFile how many numbers the word vectors of a file have
   */
  public static ModelSpec student(
      Settings settings, EncoderSpec teacher, ToIntFunction<String> widthOfFile) {
    return isBiLstm(settings)
        ? BiLstmRecipe.student(settings, teacher, widthOfFile)
        : encoder(settings, teacher);
  }

  /** Returns the shape of a student that is an encoder. */
  public static EncoderSpec encoder(Settings settings, EncoderSpec teacher) {
    int width = orElse(settings.get(Options.STUDENT_HIDDEN), teacher.hiddenSize());
    int heads = orElse(settings.get(Options.STUDENT_HEADS), teacher.heads());
    int inner =
        orElse(
            settings.get(Options.STUDENT_INTERMEDIATE),
            width == teacher.hiddenSize() ? teacher.blocks().intermediateSize() : 4 * width);
    if (width % heads != 0) {
      throw Errors.invalid(
          "student.hidden-size (%d) must be a multiple of student.heads (%d)"
              .formatted(width, heads),
          "change one of them");
    }
    Architecture architecture = value(Architecture.class, settings.get(Options.ARCHITECTURE));
    if (settings.has(Options.WORD_VECTORS)
        || settings.has(Options.WORD_VECTOR_SIZE)) {
      throw Errors.invalid(
          "student.word-vectors and student.word-vector-size are a BiLSTM's, but student.architecture is %s"
              .formatted(settings.get(Options.ARCHITECTURE)),
          "take them out, or set student.architecture=bilstm");
    }
    boolean bothMap = architecture.mapsEmbeddings() && teacher.architecture().mapsEmbeddings();
    int embeddingSize =
        orElse(settings.get(Options.STUDENT_EMBEDDING), bothMap ? teacher.embeddingSize() : width);
    if (embeddingSize != width && !architecture.mapsEmbeddings()) {
      throw Errors.invalid(
          "student.embedding-size is %d, but the tables of a student of architecture %s are as wide as its hidden states, %d"
              .formatted(embeddingSize, settings.get(Options.ARCHITECTURE), width),
          "set student.architecture=albert, or leave the key out");
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
        new EncoderSpec.Blocks(settings.get(Options.STUDENT_LAYERS), width, heads, inner),
        new EncoderSpec.Numerics(eps, dropout, dropout, dropout),
        teacher.head());
  }

  /** Returns tables for the teacher's vocabulary, with segments where the student has them. */
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
   * Returns the metrics of a task, the one that matters most first.
   *
   * @throws io.stillhouse.error.StillhouseException if the recipe names one of another task
   */
  public static List<Metric> metrics(Settings settings, Task task) {
    List<Metric> own = Metric.of(task);
    List<Metric> named =
        settings.get(Options.EVALUATE_METRICS).stream().map(Metric::named).distinct().toList();
    if (!own.isEmpty() && !own.containsAll(named)) {
      throw Errors.invalid(
          "evaluate.metrics names %s, but a %s task has %s"
              .formatted(
                  named.stream().map(Metric::id).toList(),
                  task.name().toLowerCase(Locale.ROOT),
                  own.stream().map(Metric::id).toList()),
          "name some of these");
    }
    return named.isEmpty() ? own : named;
  }

  /** Returns the teacher blocks that initialise the student's, counted from 1. */
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
          "student.init-layers %s must name one block in 1..%d for each of the student's %d"
              .formatted(blocks, teacher.layers(), student.layers()),
          "write %d numbers".formatted(student.layers()));
    }
    return blocks;
  }

  /**
   * Returns how students are trained.
   *
   * @param cores of the task, for {@code train.threads = 0}
   */
  public static TrainSpec train(Settings settings, int cores) {
    return new TrainSpec(
        settings.get(Options.EPOCHS),
        new TrainSpec.Batching(
            settings.get(Options.BATCH_SIZE),
            settings.get(Options.MICRO_BATCH_TOKENS),
            settings.get(Options.SHUFFLE_SHARDS),
            value(TrainSpec.Order.class, settings.get(Options.ORDER))),
        new TrainSpec.Optimiser(
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
   * Returns which weights of a training are kept.
   *
   * @param loss of what has no metric, and of a training whose head learns nothing, the loss itself
   *     is what weights are chosen by
   * @param held whether there are rows to choose by, and best ones are kept unless the recipe says
   *     otherwise
   * @throws io.stillhouse.error.StillhouseException if the best are to be kept and there is nothing
   *     to choose by, or several workers train; or if the last are kept and the recipe says when to
   *     measure
   */
  public static TrainSpec.Selection selection(
      Settings settings, Task task, DistillSpec loss, ValidationRows held) {
    String keep = settings.get(Options.KEEP);
    boolean best = keep.equals("best") || keep.equals("auto") && held == ValidationRows.CHOOSE;
    if (!best) {
      List<String> useless =
          Stream.of(Options.EARLY_STOPPING_PATIENCE, Options.EVAL_EVERY)
              .filter(option -> settings.get(option) != 0)
              .map(
                  option ->
                      "%s is %d, but the last weights are kept, and nothing is measured on the way; set train.keep=best, or take it out"
                          .formatted(option.key(), settings.get(option)))
              .toList();
      if (!useless.isEmpty()) {
        throw Errors.all(useless);
      }
      return TrainSpec.Selection.LAST;
    }
    List<String> problems = new ArrayList<>();
    if (held == ValidationRows.NONE) {
      problems.add(
          "train.keep is best, but there are no held-out rows to choose by; set train.validation"
              + " (finetune: finetune.validation), or train.keep=last");
    }
    if (settings.get(Options.WORKERS) > 1 || settings.get(Options.LOOKAHEAD)) {
      problems.add(
          "train.keep is best, but a training in rounds keeps its last weights; set"
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

  /** Rows that are not trained on. */
  public enum ValidationRows {
    /** There are none. */
    NONE,
    /** There are some, to measure by. */
    MEASURE,
    /** There are some, to choose weights by. */
    CHOOSE
  }

  static int orElse(int value, int zero) {
    return value == 0 ? zero : value;
  }

  static <E extends Enum<E>> E value(Class<E> type, String name) {
    return Enum.valueOf(type, name.toUpperCase(Locale.ROOT).replace('-', '_'));
  }
}
