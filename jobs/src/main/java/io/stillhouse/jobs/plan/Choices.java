package io.stillhouse.jobs.plan;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Option;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.recipe.TargetRecipe;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.TargetChoice;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The ways to store the targets that a recipe's students learn from, cheapest first. */
final class Choices {
  private Choices() {}

  /**
   * One way to store targets.
   *
   * @param settings settings that select it
   * @param bytesPerToken bytes per token on disk, including ids and labels
   * @param basis "measured" or "computed"
   * @param current whether the recipe selects it
   * @param serves "yes", or why the recipe's loss cannot learn from it
   */
  record Choice(
      Map<String, String> settings,
      double bytesPerToken,
      String basis,
      boolean current,
      String serves) {
    /** Returns whether the recipe's loss can learn from it. */
    boolean isUsable() {
      return serves.equals("yes");
    }

    /** Returns the settings as they are written in a recipe. */
    String settingsText() {
      return String.join(
          " ", settings.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).toList());
    }
  }

  /**
   * Lists the choices.
   *
   * @param sizes sizes of the targets that the recipe selects
   * @param otherBytes bytes of the cache other than tensors
   */
  static List<Choice> of(
      Settings settings,
      EncoderSpec teacher,
      DistillSpec loss,
      TargetSizes sizes,
      double otherBytes) {
    TargetChoice recipeChoice = TargetRecipe.choice(settings, teacher);
    boolean scores =
        !settings.get(Options.TARGETS_ATTENTION).isEmpty()
            || !settings.get(Options.TARGETS_VALUES).isEmpty();
    boolean mlm = teacher.head().task() == Task.MASKED_LM && loss.softLabel().weight() != 0;
    List<Choice> choices = new ArrayList<>();
    for (String dtype : List.of("float32", "float16", "int8")) {
      for (String kept : scores ? List.of("derived", "stored") : List.of("")) {
        for (String labels : mlm ? List.of("derived", "dense", "top-k", "sampled") : List.of("")) {
          Map<String, String> other = new TreeMap<>(Map.of(Options.TARGETS_DTYPE.key(), dtype));
          put(Options.TARGETS_SCORES, kept, other);
          put(Options.MLM_LOGITS, labels, other);
          choices.add(
              choice(settings.with(other), other, teacher, loss, recipeChoice, sizes, otherBytes));
        }
      }
    }
    choices.sort(Comparator.comparingDouble(Choice::bytesPerToken));
    return choices;
  }

  private static void put(Option<String> option, String value, Map<String, String> to) {
    if (!value.isEmpty()) {
      to.put(option.key(), value);
    }
  }

  private static Choice choice(
      Settings settings,
      Map<String, String> named,
      EncoderSpec teacher,
      DistillSpec loss,
      TargetChoice recipeChoice,
      TargetSizes sizes,
      double otherBytes) {
    TargetChoice choice = TargetRecipe.choice(settings, teacher);
    String serves = "yes";
    try {
      if (named.containsKey(Options.MLM_LOGITS.key())) {
        TargetRecipe.requireSupports(choice.mlm(), loss.softLabel());
      }
    } catch (StillhouseException e) {
      serves = "no: " + e.getMessage();
    }
    if (serves.equals("yes")) {
      serves = servesRelations(choice, teacher, loss);
    }
    double tensors =
        sizes.tensors(choice, recipeChoice, teacher, settings.get(Options.MASK_PROBABILITY));
    boolean same = choice.equals(recipeChoice);
    return new Choice(
        named,
        (tensors + otherBytes) / sizes.corpus().tokens(),
        same ? "measured" : "computed",
        same,
        serves);
  }

  /** Value relations are stored with the teacher's heads; all other relations are derived. */
  private static String servesRelations(
      TargetChoice choice, EncoderSpec teacher, DistillSpec loss) {
    boolean valuesAlone =
        loss.relationParts().equals(List.of(AttentionPart.VALUE))
            && loss.relations().heads() == teacher.heads();
    for (int studentBlock : loss.relationBlocks()) {
      int block = loss.layerMap().get(studentBlock);
      boolean stored = valuesAlone && choice.valueRelations().contains(block);
      if (block > 1 && !choice.hidden().contains(block - 1) && !stored) {
        return format(
            "no: relations of block %d are derived from hidden state %d, which is not stored",
            block, block - 1);
      }
    }
    return "yes";
  }
}
