package io.stillhouse.recipe;

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
 * A teacher besides the one of the recipe's cache.
 *
 * @param name that messages call it by
 * @param cache where its targets lie; the recipe's own for another teacher of that
 * @param teacher its name in there, "" for that cache's first
 * @param weight of its part in each of its terms
 * @param layerMap its hidden state for each of the student's; null for the student's own map
 * @param terms in which it takes part
 */
public record FurtherTeacher(
    String name,
    String cache,
    String teacher,
    double weight,
    @Nullable String layerMap,
    List<String> terms) {
  private static final String FIRST_TOKEN = "first-token-mse";
  private static final int SHOWN = 3;

  public FurtherTeacher {
    terms = List.copyOf(terms);
  }

  /** Returns the further teachers of a recipe, in its order. */
  public static List<FurtherTeacher> of(Settings settings) {
    return settings.get(Options.TEACHERS).stream()
        .map(
            values ->
                new FurtherTeacher(
                    Objects.requireNonNull(values.get(TeachersCheck.NAME)),
                    values.getOrDefault(TeachersCheck.CACHE, settings.get(Options.CACHE)),
                    values.getOrDefault(TeachersCheck.TEACHER, ""),
                    Double.parseDouble(values.getOrDefault(TeachersCheck.WEIGHT, "1")),
                    values.get(TeachersCheck.MAP),
                    SweepText.split(
                        values.getOrDefault(TeachersCheck.TERMS, TeachersCheck.SOFT_LABEL))))
        .toList();
  }

  /** Returns its terms that the recipe gives a weight. */
  private List<String> weighed(Settings settings) {
    return terms.stream()
        .filter(term -> settings.get(Objects.requireNonNull(TeachersCheck.WEIGHTS.get(term))) != 0)
        .toList();
  }

  /** Returns those of its terms for which it must have read the first teacher's very tokens. */
  public List<String> tokenTerms(Settings settings, Task task) {
    return weighed(settings).stream()
        .filter(term -> !term.equals(FIRST_TOKEN))
        .filter(term -> !term.equals(TeachersCheck.SOFT_LABEL) || task == Task.MASKED_LM)
        .toList();
  }

  /**
   * Returns what the student learns from it.
   *
   * @param first the first teacher
   * @param own what is learnt from that one
   * @param teacher this one
   * @throws io.stillhouse.error.StillhouseException with all that keeps it from teaching the
   *     student beside the first
   */
  public DistillSpec loss(
      Settings settings,
      ModelSpec student,
      EncoderSpec first,
      DistillSpec own,
      EncoderSpec teacher) {
    List<String> taught = weighed(settings);
    List<String> problems = new ArrayList<>();
    if (taught.isEmpty()) {
      problems.add(
          "has part in %s alone, whose weight is 0; give one of its terms a weight, or take it away"
              .formatted(String.join(", ", terms)));
    }
    if (taught.contains(TeachersCheck.SOFT_LABEL)) {
      headProblems(first.head(), teacher, first.embeddings().vocabSize(), problems);
    }
    boolean layers = taught.stream().anyMatch(term -> !term.equals(TeachersCheck.SOFT_LABEL));
    Map<String, String> values = new TreeMap<>();
    TeachersCheck.WEIGHTS.forEach(
        (term, option) -> {
          if (!taught.contains(term)) {
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
          "has %d layers, the first teacher %d, and student.layer-map names those of the first; give it a layer-map of its own"
              .formatted(teacher.layers(), first.layers()));
    }
    if (!problems.isEmpty()) {
      throw named(" ", problems);
    }
    DistillSpec loss;
    try {
      Settings its = settings.with(values);
      loss =
          layers
              ? LossRecipe.loss(its, student, teacher)
              : LossRecipe.loss(its, student, teacher, own.layerMap());
    } catch (StillhouseException e) {
      throw named(": ", e.problems());
    }
    if (!loss.studentHidden().isEmpty() && teacher.hiddenSize() != first.hiddenSize()) {
      throw named(
          " ",
          List.of(
              "is %d wide and the first teacher %d, but the student's states, made as wide as the first teacher's, are compared with both in %s; leave these to one of them"
                  .formatted(teacher.hiddenSize(), first.hiddenSize(), String.join(", ", taught))));
    }
    return loss;
  }

  private void headProblems(
      Head first, EncoderSpec teacher, int vocabulary, List<String> problems) {
    Head head = teacher.head();
    if (head.task() != first.task()) {
      problems.add(
          "has a head of %s and the first teacher one of %s, so its logits say something else; leave soft-label out of its terms"
              .formatted(head.task(), first.task()));
    } else if (!head.labels().equals(first.labels())) {
      problems.add(
          "has other classes than the first teacher, or in another order: %s; rename or reorder them in config.json of one teacher, as its weights are, and cache it anew"
              .formatted(differing(head.labels(), first.labels())));
    } else if (head.task() == Task.MASKED_LM && teacher.embeddings().vocabSize() != vocabulary) {
      problems.add(
          "has logits of %d tokens and the first teacher of %d; leave soft-label out of its terms"
              .formatted(teacher.embeddings().vocabSize(), vocabulary));
    }
  }

  private static String differing(List<String> its, List<String> firsts) {
    List<String> told = new ArrayList<>();
    for (int id = 0; id < Math.max(its.size(), firsts.size()); id++) {
      String one = id < its.size() ? "'" + its.get(id) + "'" : "missing";
      String other = id < firsts.size() ? "'" + firsts.get(id) + "'" : "missing";
      if (!one.equals(other)) {
        told.add("class %d is %s, the first teacher's %s".formatted(id, one, other));
      }
    }
    boolean all = told.size() <= SHOWN;
    return String.join("; ", all ? told : told.subList(0, SHOWN)) + (all ? "" : "; and so on");
  }

  private StillhouseException named(String joint, List<String> problems) {
    return Errors.all(
        problems.stream()
            .map(problem -> "teacher '%s' in loss.teachers%s%s".formatted(name, joint, problem))
            .toList());
  }
}
