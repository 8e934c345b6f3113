package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonParseException;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.evaluate.HeadImportance;
import io.stillhouse.jobs.heads.HeadImportanceReport;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.PrunedHeads;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;

/**
 * Selects the heads to prune from a student: reads the importances that the recipe names, checks
 * that they belong to the model that the student starts from, and prunes the least important heads.
 */
final class Pruning {
  private Pruning() {}

  /**
   * Returns the least important heads of a student; each has the importance of the head that it
   * starts from.
   *
   * @param source the model that the student starts from, with the same number of heads
   * @param blocks the block of that model, counted from 1, for each student block
   * @throws io.stillhouse.error.StillhouseException if the report of head importances is missing or
   *     belongs to another model, or if a block would lose its last head
   */
  static PrunedHeads of(
      Settings settings,
      Storage storage,
      EncoderSpec student,
      HuggingFaceDirectory source,
      List<Integer> blocks)
      throws IOException {
    double share = settings.get(Options.PRUNED_HEADS);
    if (share == 0) {
      return PrunedHeads.NONE;
    }
    HeadImportanceReport report = read(settings.get(Options.HEAD_IMPORTANCE), storage);
    if (!report.weights().equals(HeadImportanceReport.weights(storage, source.path()))) {
      throw Errors.invalid(
          format(
              "student.head-importance '%s' was measured on '%s', whose weights differ from those"
                  + " that the student starts from",
              settings.get(Options.HEAD_IMPORTANCE), report.model()),
          "run head-importance on that model (head-importance.model)");
    }
    requireComplete(report, source.spec(), settings.get(Options.HEAD_IMPORTANCE));
    int distinctBlocks = student.distinctBlocks();
    int count = (int) Math.round(share * distinctBlocks * student.heads());
    int limit = distinctBlocks * (student.heads() - 1);
    if (count > limit) {
      throw Errors.invalid(
          format(
              "student.pruned-heads is %s, which is %d of %d heads, but each of %d blocks must keep"
                  + " one",
              share, count, distinctBlocks * student.heads(), distinctBlocks),
          format(
              "prune at most %d, a share of %.4f",
              limit, (double) limit / (distinctBlocks * student.heads())));
    }
    boolean shared = source.spec().distinctBlocks() == 1;
    return PrunedHeads.least(
        IntStream.range(0, distinctBlocks)
            .mapToObj(block -> report.blocks().get(shared ? 0 : blocks.get(block) - 1).importance())
            .toList(),
        count);
  }

  private static HeadImportanceReport read(String given, Storage storage) throws IOException {
    Path file = storage.requireFile(Options.HEAD_IMPORTANCE.key(), given);
    HeadImportanceReport report = null;
    try {
      report = Storage.JSON.fromJson(storage.readText(file), HeadImportanceReport.class);
    } catch (JsonParseException e) {
      // reported below
    }
    if (report == null || report.weights() == null || report.blocks() == null) {
      throw Errors.invalid(
          format("student.head-importance '%s' is not an output file of head-importance", given),
          "set it to the head-importance.output of that command");
    }
    return report;
  }

  private static void requireComplete(
      HeadImportanceReport report, EncoderSpec source, String given) {
    boolean complete =
        report.blocks().size() == source.distinctBlocks()
            && report.blocks().stream().allMatch(block -> isComplete(block, source.heads()));
    if (!complete) {
      throw Errors.invalid(
          format(
              "student.head-importance '%s' must contain a finite importance for each of %d heads"
                  + " in %d blocks, but lacks some or contains others",
              given, source.heads(), source.distinctBlocks()),
          "run head-importance again, and do not edit its output");
    }
  }

  private static boolean isComplete(HeadImportance block, int heads) {
    return block != null
        && block.importance() != null
        && block.importance().size() == heads
        && block.importance().stream().allMatch(i -> i != null && Double.isFinite(i));
  }
}
