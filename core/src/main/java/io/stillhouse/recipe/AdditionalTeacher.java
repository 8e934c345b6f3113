package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.config.SweepText;
import io.stillhouse.config.TeachersCheck;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An additional teacher of a student. The first teacher is that of the recipe's cache.
 *
 * @param name its name in messages
 * @param cache the cache that contains its targets; may be the recipe's cache, if that has several
 *     teachers
 * @param teacher its name in that cache, "" for the cache's first teacher
 * @param weight its weight in each of its terms
 * @param layerMap its hidden state for each of the student's; null for the student's own map
 * @param terms the terms that it takes part in
 */
public record AdditionalTeacher(
    String name,
    String cache,
    String teacher,
    double weight,
    @Nullable String layerMap,
    List<String> terms) {
  private static final String FIRST_TOKEN = "first-token-mse";
  private static final int SHOWN = 3;

  public AdditionalTeacher {
    terms = List.copyOf(terms);
  }

  /** Returns the additional teachers of a recipe, in order. */
  public static List<AdditionalTeacher> of(Settings settings) {
    return settings.get(Options.TEACHERS).stream()
        .map(
            values ->
                new AdditionalTeacher(
                    Objects.requireNonNull(values.get(TeachersCheck.NAME)),
                    values.getOrDefault(TeachersCheck.CACHE, settings.get(Options.CACHE)),
                    values.getOrDefault(TeachersCheck.TEACHER, ""),
                    Double.parseDouble(values.getOrDefault(TeachersCheck.WEIGHT, "1")),
                    values.get(TeachersCheck.MAP),
                    SweepText.split(
                        values.getOrDefault(TeachersCheck.TERMS, TeachersCheck.SOFT_LABEL))))
        .toList();
  }

  /** Returns its terms whose weight is not 0. */
  private List<String> activeTerms(Settings settings) {
    return terms.stream()
        .filter(term -> settings.get(Objects.requireNonNull(TeachersCheck.WEIGHTS.get(term))) != 0)
        .toList();
  }

  /** Returns its terms that need the same tokens as the first teacher. */
  public List<String> tokenTerms(Settings settings, Task task) {
    return activeTerms(settings).stream()
        .filter(term -> !term.equals(FIRST_TOKEN))
        .filter(term -> !term.equals(TeachersCheck.SOFT_LABEL) || task == Task.MASKED_LM)
        .toList();
  }

  /**
   * Returns the losses of the student with this teacher.
   *
   * @param first the first teacher
   * @param firstLoss the losses with the first teacher
   * @param teacher this teacher
   * @throws io.stillhouse.error.StillhouseException if the two teachers cannot teach the same
   *     student
   */
  public DistillSpec loss(
      Settings settings,
      ModelSpec student,
      EncoderSpec first,
      DistillSpec firstLoss,
      EncoderSpec teacher) {
    List<String> activeTerms = activeTerms(settings);
    List<String> problems = new ArrayList<>();
    if (activeTerms.isEmpty()) {
      problems.add(
          format(
              "takes part only in %s, whose weight is 0; set the weight of one of its terms, or"
                  + " remove the teacher",
              String.join(", ", terms)));
    }
    if (activeTerms.contains(TeachersCheck.SOFT_LABEL)) {
      headProblems(first.head(), teacher, first.embeddings().vocabSize(), problems);
    }
    boolean layers = activeTerms.stream().anyMatch(term -> !term.equals(TeachersCheck.SOFT_LABEL));
    Map<String, String> values = new TreeMap<>();
    TeachersCheck.WEIGHTS.forEach(
        (term, option) -> {
          if (!activeTerms.contains(term)) {
            values.put(option.key(), "0");
          }
        });
    values.put(Options.HARD_WEIGHT.key(), "0");
    if (layerMap != null) {
      values.put(Options.LAYER_MAP.key(), layerMap);
    } else if (layers
        && teacher.layers() != first.layers()
        && settings.get(Options.LAYER_MAP).startsWith("[")) {
      problems.add(
          format(
              "has %d layers and the first teacher %d, but student.layer-map names those of the"
                  + " first; set its own layer-map",
              teacher.layers(), first.layers()));
    }
    if (!problems.isEmpty()) {
      throw error(" ", problems);
    }
    DistillSpec loss;
    try {
      loss =
          layers
              ? LossRecipe.loss(settings.with(values), student, teacher)
              : LossRecipe.loss(settings.with(values), student, teacher, firstLoss.layerMap());
    } catch (StillhouseException e) {
      throw error(": ", e.problems());
    }
    if (!loss.studentHidden().isEmpty() && teacher.hiddenSize() != first.hiddenSize()) {
      String problem =
          format(
              "has hidden size %d and the first teacher %d, but the student's states are mapped to"
                  + " the width of the first; remove %s from the terms of one teacher",
              teacher.hiddenSize(), first.hiddenSize(), String.join(", ", activeTerms));
      throw error(" ", List.of(problem));
    }
    return loss;
  }

  private void headProblems(
      Head first, EncoderSpec teacher, int vocabulary, List<String> problems) {
    Head head = teacher.head();
    if (head.task() != first.task()) {
      problems.add(
          format(
              "has a %s head and the first teacher a %s head, so their logits cannot be compared;"
                  + " remove soft-label from its terms",
              head.task(), first.task()));
    } else if (!head.labels().equals(first.labels())) {
      problems.add(
          format(
              "has different classes from the first teacher, or a different order: %s; correct"
                  + " config.json of one teacher to match its weights, and cache it again",
              describeDifferences(head.labels(), first.labels())));
    } else if (head.task() == Task.MASKED_LM && teacher.embeddings().vocabSize() != vocabulary) {
      problems.add(
          format(
              "has logits for %d tokens and the first teacher for %d; remove soft-label from its"
                  + " terms",
              teacher.embeddings().vocabSize(), vocabulary));
    }
  }

  private static String describeDifferences(List<String> labels, List<String> first) {
    List<String> differences = new ArrayList<>();
    for (int id = 0; id < Math.max(labels.size(), first.size()); id++) {
      String one = id < labels.size() ? "'" + labels.get(id) + "'" : "missing";
      String other = id < first.size() ? "'" + first.get(id) + "'" : "missing";
      if (!one.equals(other)) {
        differences.add(format("class %d is %s, but %s in the first teacher", id, one, other));
      }
    }
    boolean all = differences.size() <= SHOWN;
    return String.join("; ", all ? differences : differences.subList(0, SHOWN))
        + (all ? "" : "; and so on");
  }

  private StillhouseException error(String joint, List<String> problems) {
    return Errors.all(
        problems.stream()
            .map(problem -> format("teacher '%s' in loss.teachers%s%s", name, joint, problem))
            .toList());
  }
}
