package io.stillhouse.jobs.heads;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.ModelFiles;
import io.stillhouse.evaluate.HeadImportance;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.fs.Path;

/**
 * The contents of {@code heads.json}.
 *
 * @param model path of the model
 * @param weights SHA-256 of the model's weights, which must match those that a student starts from
 * @param rows number of rows that were read
 * @param normalize the setting {@code head-importance.normalize}
 * @param blocks importances of the heads, one entry per block
 */
public record HeadImportanceReport(
    String model, String weights, long rows, String normalize, List<HeadImportance> blocks) {

  /** Returns a hash of the weights in a Hugging Face directory. */
  public static String weights(Storage storage, java.nio.file.Path directory) throws IOException {
    MessageDigest digest = Storage.digest();
    for (java.nio.file.Path file : ModelFiles.weightFiles(directory).stream().sorted().toList()) {
      digest.update(storage.sha256(new Path(file.toUri())).getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Returns a table for the console: a line for each block, with ranks in brackets. */
  public String table() {
    int heads = blocks.get(0).importance().size();
    StringBuilder table = new StringBuilder("block");
    for (int head = 1; head <= heads; head++) {
      table.append(format("  %13s", "head " + head));
    }
    table.append(System.lineSeparator());
    for (HeadImportance block : blocks) {
      table.append(format("%5d", block.block()));
      for (int head = 0; head < heads; head++) {
        table.append(
            format(
                "  %7.4f %5s", block.importance().get(head), "(" + block.ranks().get(head) + ")"));
      }
      table.append(System.lineSeparator());
    }
    return table.toString();
  }
}
