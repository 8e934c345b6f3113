package io.stillhouse.config;

import io.stillhouse.error.Errors;
import io.stillhouse.spec.CorpusSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LayerMap;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.TrainSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Turns settings into the specs that jobs take, checking what no single key can. */
public final class Recipe {
  private Recipe() {}

  /** Shrinks a recipe to seconds where it says {@code smoke = true}. */
  public static Settings shrunk(Settings settings) {
    if (!settings.get(Options.SMOKE)) {
      return settings;
    }
    Map<String, String> small = new TreeMap<>();
    cap(settings, Options.CORPUS_LIMIT, 64, small);
    int workers = settings.get(Options.WORKERS); // each takes four steps
    cap(settings, Options.MAX_STEPS, 4 * workers, small);
    cap(settings, Options.UNIT_TOKENS, 1024, small);
    cap(settings, Options.ROWS_PER_STEP, Math.max(1, 16 / workers), small);
    cap(settings, Options.MAX_LENGTH, 64, small);
    cap(settings, Options.AUGMENT_COPIES, 4, small);
    small.put(Options.EPOCHS.key(), "1");
    return settings.with(small);
  }

  private static void cap(
      Settings settings, Option<Integer> option, int most, Map<String, String> small) {
    int value = settings.get(option);
    if (value == 0 || value > most) {
      small.put(option.key(), Integer.toString(most));
    }
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

  /** Returns the student's shape under its teacher's vocabulary and head. */
  public static ModelSpec student(Settings settings, ModelSpec teacher) {
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
    double dropout = settings.get(Options.STUDENT_DROPOUT);
    return new ModelSpec(
        teacher.embeddings(),
        new ModelSpec.Blocks(settings.get(Options.STUDENT_LAYERS), width, heads, inner),
        new ModelSpec.Numerics(teacher.numerics().layerNormEps(), dropout, dropout, dropout),
        teacher.head());
  }

  /**
   * Returns what the student learns from.
   *
   * @throws io.stillhouse.error.StillhouseException if the layer map does not fit, a loss needs
   *     what the teacher or corpus lacks, or every weight is 0
   */
  public static DistillSpec loss(Settings settings, ModelSpec student, ModelSpec teacher) {
    LayerMap map = LayerMap.parse(settings.get(Options.LAYER_MAP));
    List<Integer> layers = map.teacherLayers(student.layers(), teacher.layers());
    DistillSpec spec =
        new DistillSpec(
            layers,
            new DistillSpec.SoftLabel(
                settings.get(Options.SOFT_WEIGHT),
                value(DistillSpec.Kind.class, settings.get(Options.SOFT_KIND)),
                settings.get(Options.TEMPERATURE),
                value(DistillSpec.Positions.class, settings.get(Options.SOFT_POSITIONS))),
            settings.get(Options.HARD_WEIGHT),
            new DistillSpec.Hidden(
                settings.get(Options.COSINE_WEIGHT),
                value(DistillSpec.CosineLayers.class, settings.get(Options.COSINE_LAYERS)),
                settings.get(Options.HIDDEN_WEIGHT),
                settings.get(Options.EMBEDDING_WEIGHT)),
            settings.get(Options.ATTENTION_WEIGHT));
    List<String> problems = new ArrayList<>();
    if (spec.softLabel().weight() == 0
        && spec.hardLabel() == 0
        && spec.studentHidden().isEmpty()
        && spec.studentBlocks().isEmpty()) {
      problems.add("every loss weight is 0; give at least one, such as loss.soft-label.weight=1");
    }
    boolean headless = teacher.head().equals(Head.NONE);
    if (headless && (spec.softLabel().weight() != 0 || spec.hardLabel() != 0)) {
      problems.add(
          "loss.soft-label.weight and loss.hard-label.weight must be 0 for a teacher without a head; fine-tune it, or learn from hidden states and attention");
    }
    if (!spec.studentBlocks().isEmpty() && student.heads() != teacher.heads()) {
      problems.add(
          "loss.attention-mse.weight needs equally many heads, but the student has %d and the teacher %d; set student.heads=%d, or the weight to 0"
              .formatted(student.heads(), teacher.heads(), teacher.heads()));
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return spec;
  }

  /** Returns the teacher blocks that initialise the student's, counted from 1. */
  public static List<Integer> initLayers(Settings settings, ModelSpec student, ModelSpec teacher) {
    List<Integer> blocks = settings.get(Options.INIT_LAYERS);
    if (blocks.isEmpty()) {
      LayerMap map = LayerMap.parse(settings.get(Options.LAYER_MAP));
      return map.teacherLayers(student.layers(), teacher.layers()).subList(1, student.layers() + 1);
    }
    if (blocks.size() != student.layers()
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
            settings.get(Options.ROWS_PER_STEP),
            settings.get(Options.TRAIN_BATCH_TOKENS),
            settings.get(Options.SHUFFLE_UNITS),
            value(TrainSpec.Order.class, settings.get(Options.ORDER))),
        new TrainSpec.Optimiser(
            settings.get(Options.LEARNING_RATE),
            settings.get(Options.WARMUP),
            new TrainSpec.Betas(
                settings.get(Options.BETA1),
                settings.get(Options.BETA2),
                settings.get(Options.EPSILON)),
            settings.get(Options.WEIGHT_DECAY),
            settings.get(Options.CLIP_NORM)),
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
            settings.get(Options.CHECKPOINT_EVERY)));
  }

  private static int orElse(int value, int zero) {
    return value == 0 ? zero : value;
  }

  private static <E extends Enum<E>> E value(Class<E> type, String name) {
    return Enum.valueOf(type, name.toUpperCase(Locale.ROOT));
  }
}
