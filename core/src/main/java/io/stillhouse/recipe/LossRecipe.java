package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.LayerMap;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/** Turns settings into the losses of a student, and checks conditions between keys. */
public final class LossRecipe {
  private LossRecipe() {}

  /**
   * Returns the losses of a student.
   *
   * @throws io.stillhouse.error.StillhouseException if the layer map does not fit the models, a
   *     loss needs something that the teacher does not have, or every weight is 0
   */
  public static DistillSpec loss(Settings settings, ModelSpec student, EncoderSpec teacher) {
    List<Integer> layers = List.of(); // a BiLSTM has none
    if (student instanceof EncoderSpec encoder) {
      LayerMap map = LayerMap.parse(settings.get(Options.LAYER_MAP));
      layers = map.teacherLayers(encoder.layers(), teacher.layers());
    }
    return loss(settings, student, teacher, layers);
  }

  /**
   * Returns the losses of a student.
   *
   * @param layers the teacher's hidden state for each of the student's
   */
  static DistillSpec loss(
      Settings settings, ModelSpec student, EncoderSpec teacher, List<Integer> layers) {
    DistillSpec spec = spec(settings, student, layers);
    List<String> problems = new ArrayList<>();
    if (!(student instanceof EncoderSpec)) {
      problems.addAll(BiLstmRecipe.lossProblems(settings));
    }
    addWeightProblems(spec, student, problems);
    addHeadProblems(spec, student.head(), teacher.head(), problems);
    if (student instanceof EncoderSpec encoder) {
      addLayerProblems(settings, spec, encoder, teacher, problems);
    }
    problems.addAll(PruningCheck.problems(settings, student));
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
    return spec;
  }

  private static DistillSpec spec(Settings settings, ModelSpec student, List<Integer> layers) {
    int heads = student instanceof EncoderSpec encoder ? encoder.heads() : 0;
    return new DistillSpec(
        layers,
        new DistillSpec.SoftLabel(
            settings.get(Options.SOFT_WEIGHT),
            softKind(settings, student.head().task()),
            settings.get(Options.TEMPERATURE),
            Recipe.value(DistillSpec.Positions.class, settings.get(Options.SOFT_POSITIONS))),
        settings.get(Options.HARD_WEIGHT),
        new DistillSpec.Hidden(
            settings.get(Options.COSINE_WEIGHT),
            Recipe.value(DistillSpec.CosineLayers.class, settings.get(Options.COSINE_LAYERS)),
            settings.get(Options.HIDDEN_WEIGHT),
            settings.get(Options.EMBEDDING_WEIGHT),
            settings.get(Options.FIRST_TOKEN_WEIGHT),
            Recipe.value(DistillSpec.Projection.class, settings.get(Options.PROJECTION))),
        settings.get(Options.ATTENTION_WEIGHT),
        new DistillSpec.Relations(
            settings.get(Options.ATTENTION_KL_WEIGHT),
            settings.get(Options.QUERY_WEIGHT),
            settings.get(Options.KEY_WEIGHT),
            settings.get(Options.VALUE_WEIGHT),
            Recipe.orElse(settings.get(Options.RELATION_HEADS), heads),
            Recipe.value(DistillSpec.Blocks.class, settings.get(Options.RELATION_LAYERS))));
  }

  private static void addWeightProblems(
      DistillSpec spec, ModelSpec student, List<String> problems) {
    if (spec.hidden().firstTokenMse() != 0
        && student instanceof EncoderSpec encoder
        && encoder.layers() == 1) {
      problems.add(
          "loss.first-token-mse.weight excludes the last hidden state, but a student of 1 layer"
              + " has no other; set it to 0, or student.layers to 2 or more");
    } else if (problems.isEmpty()
        && spec.softLabel().weight() == 0
        && spec.hardLabel() == 0
        && !spec.readsLayers()) {
      problems.add("every loss weight is 0; set at least one, such as loss.soft-label.weight=1");
    }
  }

  private static void addHeadProblems(
      DistillSpec spec, Head student, Head teacher, List<String> problems) {
    if (teacher.equals(Head.NONE) && spec.trainsHead()) {
      problems.add(
          "loss.soft-label.weight and loss.hard-label.weight must be 0 for a teacher without a"
              + " head; fine-tune it, or distill from hidden states and attention");
    }
    if (student.task() == Task.REGRESSION
        && spec.softLabel().weight() != 0
        && spec.softLabel().kind() == DistillSpec.Kind.KL) {
      problems.add(
          "loss.soft-label.kind is kl, but the single score of a regression has no distribution;"
              + " set it to mse or auto");
    }
  }

  private static void addLayerProblems(
      Settings settings,
      DistillSpec spec,
      EncoderSpec student,
      EncoderSpec teacher,
      List<String> problems) {
    if (student.heads() != teacher.heads()) {
      requireSameHeads(Options.ATTENTION_WEIGHT, settings, student, teacher, problems);
      requireSameHeads(Options.ATTENTION_KL_WEIGHT, settings, student, teacher, problems);
    }
    if (!spec.relationBlocks().isEmpty()) {
      requireRelationHeads(settings.get(Options.RELATION_HEADS), student, teacher, problems);
    }
  }

  private static DistillSpec.Kind softKind(Settings settings, Task task) {
    String kind = settings.get(Options.SOFT_KIND);
    return !kind.equals("auto")
        ? Recipe.value(DistillSpec.Kind.class, kind)
        : task == Task.REGRESSION ? DistillSpec.Kind.MSE : DistillSpec.Kind.KL;
  }

  /**
   * Returns the weights of the classes in the loss on labels; empty if all are equal.
   *
   * @param rows the number of rows of each class, for {@code balanced}; the last classes may be
   *     missing
   * @throws io.stillhouse.error.StillhouseException if the number of weights is not the number of
   *     classes, or {@code balanced} is given and a class has no rows
   */
  public static List<Double> classWeights(Settings settings, Head head, Supplier<long[]> rows) {
    List<String> given = settings.get(Options.CLASS_WEIGHTS);
    if (given.isEmpty()) {
      return List.of();
    }
    String key = Options.CLASS_WEIGHTS.key();
    if (head.task() != Task.CLASSIFICATION) {
      throw Errors.invalid(
          format("%s is %s, but the labels are not classes", key, given), "leave it empty");
    }
    if (!given.equals(List.of("balanced"))) {
      if (given.size() != head.outputs()) {
        throw Errors.invalid(
            format(
                "%s lists %d weights, but there are %d classes %s",
                key, given.size(), head.outputs(), head.labels()),
            "give one weight for each, in that order");
      }
      return given.stream().map(Double::valueOf).toList();
    }
    long[] counts = rows.get();
    double all = Arrays.stream(counts).sum();
    List<Double> weights = new ArrayList<>();
    for (int c = 0; c < head.outputs(); c++) {
      if (c >= counts.length || counts[c] == 0) {
        throw Errors.invalid(
            format("%s is balanced, but class '%s' has no rows", key, head.labels().get(c)),
            "list the weights, or leave them empty");
      }
      weights.add(all / (head.outputs() * counts[c]));
    }
    return weights;
  }

  private static void requireSameHeads(
      Option<Double> weight,
      Settings settings,
      EncoderSpec student,
      EncoderSpec teacher,
      List<String> problems) {
    if (settings.get(weight) != 0) {
      problems.add(
          format(
              "%s needs the same number of heads, but the student has %d and the teacher %d; set"
                  + " student.heads=%d, or the weight to 0",
              weight.key(), student.heads(), teacher.heads(), teacher.heads()));
    }
  }

  private static void requireRelationHeads(
      int heads, EncoderSpec student, EncoderSpec teacher, List<String> problems) {
    String widths = format("both widths, %d and %d", student.hiddenSize(), teacher.hiddenSize());
    if (heads == 0 && student.heads() != teacher.heads()) {
      problems.add(
          format(
              "loss.relation.heads is 0, the models' own heads, but the student has %d and the"
                  + " teacher %d; set it to a number that divides %s",
              student.heads(), teacher.heads(), widths));
    }
    if (heads != 0 && (student.hiddenSize() % heads != 0 || teacher.hiddenSize() % heads != 0)) {
      problems.add(
          format("loss.relation.heads (%d) must divide %s; change one of them", heads, widths));
    }
  }
}
