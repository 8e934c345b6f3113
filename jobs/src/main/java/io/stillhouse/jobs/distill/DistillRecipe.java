package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.ListText;
import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.spec.EncoderSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The settings that distill chooses, and the recipe file that it writes. */
final class DistillRecipe {
  static final String STUDENT = "distilled";

  /** By default, a student has one block for this many blocks of the teacher. */
  private static final int TEACHER_BLOCKS = 3;

  /** By default, a student is trained on about this many rows, and for at least two epochs. */
  private static final long ROWS = 60_000;

  private static final int MOST_EPOCHS = 30;
  private static final int EVALUATIONS = 10;
  private static final int BATCH_SIZE = 32;

  private static final String TEACHER_PATIENCE = "2";

  private final Settings given;
  private final String directory;
  private final TableSplit.Result split;

  /**
   * Creates the choices of a run.
   *
   * @param given the user's settings
   * @param directory the directory of all results, as the user wrote it
   */
  DistillRecipe(Settings given, String directory, TableSplit.Result split) {
    this.given = given;
    this.directory = directory;
    this.split = split;
  }

  /** Returns the settings with which the teacher is fine-tuned. */
  Settings finetune(String base, String teacher) {
    Map<String, String> own = corpus();
    put(own, Options.CORPUS_UNLABELLED, "[]");
    put(own, Options.TEACHER, base);
    put(own, Options.FINETUNE_FROM, base);
    put(own, Options.FINETUNE_TO, teacher);
    put(own, Options.FINETUNE_TASK, split.task());
    put(own, Options.FINETUNE_VALIDATION, ListText.write(List.of(data(TableSplit.VALIDATION))));
    put(own, Options.EPOCHS, given.get(Options.DISTILL_TEACHER_EPOCHS));
    put(own, Options.MAX_STEPS, given.get(Options.DISTILL_TEACHER_STEPS));
    put(own, Options.LEARNING_RATE, given.get(Options.DISTILL_TEACHER_RATE));
    put(own, Options.BATCH_SIZE, BATCH_SIZE);
    put(own, Options.KEEP, "best");
    put(own, Options.EVAL_EVERY, 0);
    put(own, Options.EARLY_STOPPING_PATIENCE, TEACHER_PATIENCE);
    put(own, Options.STAGES, "[]");
    put(own, Options.WORKERS, 1);
    put(own, Options.LOOKAHEAD, false);
    return given.with(own);
  }

  /**
   * Returns the keys and values of the recipe: the user's, and the defaults of distill for all
   * other keys.
   *
   * @param user the user's keys and values
   * @param teacher the directory of the teacher
   * @param base the encoder from whose weights the student starts; "" for the teacher's
   */
  Map<String, String> recipe(
      Map<String, String> user, String teacher, EncoderSpec spec, String base) {
    Map<String, String> keys = new LinkedHashMap<>();
    put(keys, Options.TEACHER, teacher);
    keys.putAll(corpus());
    put(keys, Options.CACHE, path("cache"));
    keys.putAll(student(user, spec, base));
    put(keys, Options.SOFT_WEIGHT, 1);
    put(keys, Options.TEMPERATURE, 1);
    put(keys, Options.HARD_WEIGHT, hardLabelWeight());
    put(keys, Options.TRAIN_PATH, path("students"));
    put(keys, Options.VALIDATION, path("validation-cache"));
    long rows = split.train() + split.unlabelled();
    long epochs = Math.min(MOST_EPOCHS, Math.max(2, (ROWS + rows - 1) / rows));
    put(keys, Options.EPOCHS, epochs);
    put(keys, Options.BATCH_SIZE, BATCH_SIZE);
    put(keys, Options.LEARNING_RATE, "3e-4");
    put(keys, Options.KEEP, "best");
    put(
        keys,
        Options.EVAL_EVERY,
        Math.max(1, epochs * ((rows + BATCH_SIZE - 1) / BATCH_SIZE) / EVALUATIONS));
    put(keys, Options.PLAN_OUTPUT, path("plan.json"));
    put(keys, Options.EVALUATE_PATH, ListText.write(List.of(data(TableSplit.VALIDATION))));
    put(keys, Options.EVALUATE_OUTPUT, path("evaluation.json"));
    put(keys, Options.EVALUATE_SPEED, true);
    put(keys, Options.EVALUATE_SPEED_SECONDS, "0.2");
    put(keys, Options.EXPORT_TO, path("export"));
    user.forEach(
        (key, value) -> {
          if (!isReplaced(key)) {
            keys.put(key, value);
          }
        });
    return keys;
  }

  /**
   * Returns the share of the rows that have a label, so that each label weighs as much as the soft
   * label of its row: the hard-label term is a mean over the labelled rows of a batch, and with a
   * larger weight, a few of them would dominate the gradient.
   */
  private String hardLabelWeight() {
    double share = (double) split.train() / (split.train() + split.unlabelled());
    return format("%.2f", Math.max(0.01, share));
  }

  private Map<String, String> student(Map<String, String> user, EncoderSpec teacher, String base) {
    Map<String, String> keys = new LinkedHashMap<>();
    put(keys, Options.STUDENT_NAME, STUDENT);
    if ("bilstm".equals(user.get(Options.ARCHITECTURE.key()))) {
      return keys;
    }
    int layers = Math.max(1, teacher.layers() / TEACHER_BLOCKS);
    String given = user.get(Options.STUDENT_LAYERS.key());
    int own = given == null || !given.matches("\\d{1,4}") ? layers : Integer.parseInt(given);
    put(keys, Options.STUDENT_LAYERS, own);
    boolean sameWidth =
        isSame(user, Options.STUDENT_HIDDEN, teacher.hiddenSize())
            && isSame(user, Options.STUDENT_INTERMEDIATE, teacher.blocks().intermediateSize())
            && isSame(user, Options.STUDENT_HEADS, teacher.heads());
    put(
        keys,
        Options.STUDENT_INIT,
        sameWidth && own <= teacher.layers() ? base.isEmpty() ? "teacher" : base : "random");
    if (own <= teacher.layers() && own > 0 && teacher.layers() % own != 0) {
      put(
          keys,
          Options.LAYER_MAP,
          IntStream.rangeClosed(0, own)
              .map(block -> Math.round((float) block * teacher.layers() / own))
              .boxed()
              .toList());
    }
    return keys;
  }

  private static boolean isSame(Map<String, String> user, Option<Integer> size, int teacher) {
    String own = user.getOrDefault(size.key(), "0");
    return own.equals("0") || own.equals(Integer.toString(teacher));
  }

  /** Returns the keys of the corpus that consists of the written parts of the table. */
  private Map<String, String> corpus() {
    Map<String, String> keys = new LinkedHashMap<>();
    put(keys, Options.CORPUS_PATH, ListText.write(List.of(data(TableSplit.TRAIN))));
    if (split.unlabelled() > 0) {
      put(keys, Options.CORPUS_UNLABELLED, ListText.write(List.of(data(TableSplit.UNLABELLED))));
    }
    put(keys, Options.CORPUS_FORMAT, "parquet");
    put(keys, Options.CORPUS_ID, "id");
    put(keys, Options.CORPUS_TEXT, "text");
    put(keys, Options.CORPUS_PAIR, split.columns().pair().isEmpty() ? "" : "pair");
    put(keys, Options.CORPUS_LABEL, "label");
    put(keys, Options.CORPUS_LIMIT, 0);
    return keys;
  }

  /**
   * Returns whether the recipe leaves out a key that the user set: one that describes the user's
   * files, which the written parts replace, one of fine-tuning, or {@code smoke}.
   */
  private static boolean isReplaced(String key) {
    return key.startsWith("distill.")
        || key.startsWith("finetune.")
        || key.equals(Options.TEACHER.key())
        || key.equals(Options.TASK.key())
        || key.equals(Options.SMOKE.key())
        || key.startsWith("corpus.")
            && !key.equals(Options.MAX_LENGTH.key())
            && !key.equals(Options.CORPUS_CLASSES.key())
            && !key.equals(Options.INVALID_ROWS.key())
            && !key.equals(Options.MAX_INVALID.key())
            && !key.equals(Options.CORPUS_SEGMENT.key())
            && !key.equals(Options.CORPUS_TOO_LONG.key());
  }

  private String data(String part) {
    return path("data/" + part);
  }

  private String path(String name) {
    return directory + "/" + name;
  }

  private static void put(Map<String, String> keys, Option<?> option, Object value) {
    keys.put(option.key(), String.valueOf(value));
  }

  /** Returns the text of the recipe file. */
  String text(Map<String, String> keys) {
    String file = path("recipe.conf");
    StringBuilder text =
        new StringBuilder(
            format(
                """
                # Written by jobs/bin/stillhouse distill. To train another student from the same cache:
                #   jobs/bin/stillhouse train %s student.name=other student.layers=1
                #   jobs/bin/stillhouse evaluate %s
                # train.validation is the cache of the held-out rows:
                #   jobs/bin/stillhouse cache %s corpus.path=%s corpus.unlabelled='[]' cache.path=%s
                """,
                file, file, file, data(TableSplit.VALIDATION), keys.get(Options.VALIDATION.key())));
    for (String group : groups(keys)) {
      text.append('\n');
      keys.forEach(
          (key, value) -> {
            if (group(key).equals(group)) {
              text.append(key).append(" = ").append(hocon(value)).append('\n');
            }
          });
    }
    return text.toString();
  }

  private static List<String> groups(Map<String, String> keys) {
    List<String> groups = new ArrayList<>();
    for (String key : keys.keySet()) {
      if (!groups.contains(group(key))) {
        groups.add(group(key));
      }
    }
    return groups;
  }

  private static String group(String key) {
    return key.contains(".") ? key.substring(0, key.indexOf('.')) : "";
  }

  /** Returns a value as HOCON, in which texts and elements of lists are quoted if needed. */
  private static String hocon(String value) {
    if (value.startsWith("{") || value.startsWith("[{") || value.matches("-?[0-9.]+(e-?[0-9]+)?")) {
      return value;
    }
    if (value.startsWith("[") && value.endsWith("]")) {
      return ListText.parse(value).stream()
          .map(DistillRecipe::quoted)
          .collect(Collectors.joining(", ", "[", "]"));
    }
    return value.matches("true|false|[a-z][a-z0-9-]*") ? value : quoted(value);
  }

  private static String quoted(String text) {
    return text.matches("-?[0-9]+")
        ? text
        : "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }
}
