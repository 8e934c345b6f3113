package io.stillhouse.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetChoice;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Reads from a recipe which targets are stored, and which are derived from stored ones. */
public final class TargetRecipe {
  private TargetRecipe() {}

  /**
   * Returns the targets that the recipe stores for a teacher: those that it names, and those from
   * which others are derived.
   */
  public static TargetChoice choice(Settings settings, EncoderSpec teacher) {
    List<Integer> hidden = new ArrayList<>(settings.get(Options.TARGETS_HIDDEN));
    List<Integer> attention = settings.get(Options.TARGETS_ATTENTION);
    List<Integer> values = settings.get(Options.TARGETS_VALUES);
    requireLayers(hidden, attention, values, teacher.layers());
    boolean derived = settings.get(Options.TARGETS_SCORES).equals("derived");
    if (derived) {
      Stream.concat(attention.stream(), values.stream()).forEach(block -> hidden.add(block - 1));
    }
    MlmTargets mlm = mlm(settings, teacher);
    if (mlm.kind() == MlmTargets.Kind.DERIVED) {
      hidden.add(teacher.layers());
    }
    boolean pooled = teacher.head().task().pooled();
    if (hidden.isEmpty() && attention.isEmpty() && values.isEmpty() && !mlm.stored() && !pooled) {
      throw Errors.invalid(
          format(
              "the recipe stores nothing: targets.hidden and targets.attention are empty, and a"
                  + " teacher with head %s has no logits to store",
              teacher.head().task()),
          format("name layers, such as targets.hidden=[%d]", teacher.layers()));
    }
    return new TargetChoice(
        Dtype.of(settings.get(Options.TARGETS_DTYPE)),
        pooled ? TargetChoice.Logits.STORED : TargetChoice.Logits.NONE,
        mlm,
        hidden,
        derived ? List.of() : attention,
        derived ? List.of() : values);
  }

  private static void requireLayers(
      List<Integer> hidden, List<Integer> attention, List<Integer> values, int layers) {
    List<String> problems = new ArrayList<>();
    if (hidden.stream().anyMatch(layer -> layer > layers)) {
      problems.add(
          format(
              "targets.hidden %s names a layer that the teacher lacks; it has hidden states 0..%d",
              hidden, layers));
    }
    requireBlocks("targets.attention", attention, layers, problems);
    requireBlocks("targets.value-relations", values, layers, problems);
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }

  private static void requireBlocks(
      String key, List<Integer> blocks, int layers, List<String> problems) {
    if (blocks.stream().anyMatch(block -> block < 1 || block > layers)) {
      problems.add(
          format(
              "%s %s names a block that the teacher lacks; it has blocks 1..%d",
              key, blocks, layers));
    }
  }

  /** Returns how masked-LM soft labels are stored; not at all if the teacher has none. */
  public static MlmTargets mlm(Settings settings, EncoderSpec teacher) {
    MlmTargets.Kind kind = MlmTargets.Kind.of(settings.get(Options.MLM_LOGITS));
    if (teacher.head().task() != Task.MASKED_LM || kind == MlmTargets.Kind.NONE) {
      return MlmTargets.NONE;
    }
    List<Double> given = settings.get(Options.TEMPERATURES);
    List<Double> temperatures =
        given.isEmpty() ? List.of(settings.get(Options.TEMPERATURE)) : given;
    if (kind == MlmTargets.Kind.SAMPLED && temperatures.size() > 1) {
      throw Errors.invalid(
          format(
              "targets.temperatures %s: samples are drawn at one temperature and are valid for no"
                  + " other",
              temperatures),
          "name one, or set targets.mlm-logits=top-k");
    }
    int vocabulary = teacher.embeddings().vocabSize();
    if (kind == MlmTargets.Kind.TOP_K && settings.get(Options.TOP_K) >= vocabulary) {
      throw Errors.badValue(
          Options.TOP_K.key(),
          format("less than the vocabulary, %d", vocabulary),
          settings.get(Options.TOP_K));
    }
    DistillSpec.Positions positions =
        DistillSpec.Positions.valueOf(settings.get(Options.MLM_POSITIONS).toUpperCase(Locale.ROOT));
    return switch (kind) {
      case NONE -> MlmTargets.NONE;
      case DERIVED -> new MlmTargets(kind, 0, List.of(), DistillSpec.Positions.ALL);
      case DENSE -> new MlmTargets(kind, 0, List.of(), positions);
      case TOP_K -> new MlmTargets(kind, settings.get(Options.TOP_K), temperatures, positions);
      case SAMPLED -> new MlmTargets(kind, settings.get(Options.SAMPLES), temperatures, positions);
    };
  }

  /**
   * Requires that a loss can use masked-LM soft labels as they are stored.
   *
   * @throws io.stillhouse.error.StillhouseException if they do not match the loss's temperature,
   *     positions or kind
   */
  public static void requireSupports(MlmTargets mlm, DistillSpec.SoftLabel loss) {
    List<String> problems = new ArrayList<>();
    boolean partial = mlm.kind() == MlmTargets.Kind.TOP_K || mlm.kind() == MlmTargets.Kind.SAMPLED;
    if (mlm.kind() == MlmTargets.Kind.NONE) {
      problems.add(
          format(
              "loss.soft-label.weight is %s, but targets.mlm-logits is none; set the weight to 0,"
                  + " or store soft labels",
              loss.weight()));
    }
    if (partial && !mlm.temperatures().contains(loss.temperature())) {
      problems.add(
          format(
              "loss.soft-label.temperature is %s, but soft labels are kept for targets.temperatures"
                  + " %s; set one of them, or cache that temperature",
              loss.temperature(), mlm.temperatures()));
    }
    if (partial && loss.kind() == DistillSpec.Kind.MSE) {
      problems.add(
          "loss.soft-label.kind mse needs every logit; set it to kl, or targets.mlm-logits to"
              + " derived or dense");
    }
    if (mlm.stored()
        && mlm.positions() == DistillSpec.Positions.MASKED
        && loss.positions() == DistillSpec.Positions.ALL) {
      problems.add(
          "loss.soft-label.positions is all, but targets.mlm-positions is masked; set both to"
              + " masked, or cache all");
    }
    if (!problems.isEmpty()) {
      throw Errors.all(problems);
    }
  }
}
