package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.config.TeachersCheck;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.BiLstmSpec.Texts;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.ToIntFunction;

/**
 * Turns settings into the spec of a BiLSTM student, and refuses settings that do not apply to it.
 */
final class BiLstmRecipe {
  private static final int RANDOM_WIDTH = 300;

  private BiLstmRecipe() {}

  static BiLstmSpec student(
      Settings settings, EncoderSpec teacher, ToIntFunction<String> widthOfFile) {
    int hidden = settings.get(Options.STUDENT_HIDDEN);
    int inner = settings.get(Options.STUDENT_INTERMEDIATE);
    List<String> problems = new ArrayList<>();
    if (hidden == 0) {
      problems.add(
          "student.hidden-size of a BiLSTM must be > 0, but is '0'; set it to the hidden units of"
              + " one direction, such as 300");
    }
    if (settings.has(Options.STUDENT_LAYERS) && settings.get(Options.STUDENT_LAYERS) != 1) {
      problems.add(
          format(
              "student.layers is %d, but a BiLSTM has one layer; remove the key, or set it to 1",
              settings.get(Options.STUDENT_LAYERS)));
    }
    if (settings.get(Options.STUDENT_HEADS) != 0) {
      problems.add(
          format(
              "student.heads is %d, but a BiLSTM has no attention; remove the key, or set it to 0",
              settings.get(Options.STUDENT_HEADS)));
    }
    if (settings.get(Options.STUDENT_EMBEDDING) != 0) {
      problems.add(
          format(
              "student.embedding-size is %d, but only an ALBERT has it; remove the key, or set"
                  + " student.word-vector-size",
              settings.get(Options.STUDENT_EMBEDDING)));
    }
    String init = settings.get(Options.STUDENT_INIT);
    if (!init.equals("teacher") && !init.equals("random")) {
      problems.add(
          format(
              "student.init is '%s', but the layers of a BiLSTM are initialized at random; remove"
                  + " the key, and choose word vectors with student.word-vectors",
              init));
    }
    if (!settings.get(Options.INIT_LAYERS).isEmpty()) {
      problems.add(
          format(
              "student.init-layers is %s, but a BiLSTM has no blocks; remove the key",
              settings.get(Options.INIT_LAYERS)));
    }
    if (!teacher.head().task().pooled()) {
      problems.add(
          format(
              "a BiLSTM predicts classes or a score, but the teacher %s; use a teacher trained by"
                  + " finetune",
              describe(teacher.head())));
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return new BiLstmSpec(
        new BiLstmSpec.Words(teacher.vocabSize(), width(settings, teacher, widthOfFile)),
        new BiLstmSpec.Units(hidden, inner == 0 ? (4 * hidden + 2) / 3 : inner),
        settings.get(Options.STUDENT_DROPOUT),
        settings.get(Options.CORPUS_PAIR).isEmpty() ? Texts.SINGLE : Texts.PAIR,
        teacher.head());
  }

  private static String describe(Head head) {
    return head.task() == Task.MASKED_LM ? "is a masked LM" : "has no head";
  }

  private static int width(
      Settings settings, EncoderSpec teacher, ToIntFunction<String> widthOfFile) {
    String from = settings.get(Options.WORD_VECTORS);
    int requested = settings.get(Options.WORD_VECTOR_SIZE);
    if (from.equals("random")) {
      return requested == 0 ? RANDOM_WIDTH : requested;
    }
    int width =
        from.equals("teacher")
            ? (int) Objects.requireNonNull(teacher.parameters().get(EncoderSpec.WORDS))[1]
            : widthOfFile.applyAsInt(from);
    if (requested != 0 && requested != width) {
      throw Errors.invalid(
          format(
              "student.word-vector-size is %d, but the vectors of student.word-vectors '%s' have"
                  + " width %d",
              requested, from, width),
          "remove the key, or set student.word-vectors=random");
    }
    return width;
  }

  /** Returns the problems of losses that read layers, which a BiLSTM does not have. */
  static List<String> lossProblems(Settings settings) {
    List<String> problems = new ArrayList<>();
    for (Option<Double> weight : TeachersCheck.WEIGHTS.values()) {
      if (!weight.equals(Options.SOFT_WEIGHT) && settings.get(weight) != 0) {
        problems.add(
            format(
                "%s is %s, but a BiLSTM has no layers to compare with its teacher's; set it to 0,"
                    + " and set loss.soft-label.weight",
                weight.key(), settings.get(weight)));
      }
    }
    String map = settings.get(Options.LAYER_MAP);
    if (!map.equals(Options.LAYER_MAP.defaultValue())) {
      problems.add(
          format(
              "student.layer-map is %s, but a BiLSTM has no layers to map; remove the key", map));
    }
    return problems;
  }
}
