package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.TrainSpec;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The result of one student's training; also written to its directory as {@code training.json}.
 *
 * @param name the name of the student
 * @param directory the directory of the finished student
 * @param fingerprint the fingerprint of its recipe and caches
 * @param model its size
 * @param training how far it was trained
 * @param losses its measured losses
 * @param speed how fast it was trained
 */
public record TrainedStudent(
    String name,
    String directory,
    String fingerprint,
    Model model,
    Training training,
    Losses losses,
    Speed speed)
    implements Serializable {
  private static final String FILE = "training.json";

  /**
   * The size of a student.
   *
   * @param prunedHeads the pruned heads of each block, counted from 1 (blocks that share weights
   *     count once); null if no head is pruned
   */
  public record Model(long parameters, @Nullable List<List<Integer>> prunedHeads)
      implements Serializable {}

  /**
   * How far a student was trained, and on what.
   *
   * @param steps the number of optimizer steps
   * @param chosen the step whose weights were kept; null if it was the last step
   * @param rowsLeftOut number of rows of the cache that were not trained on because an additional
   *     teacher's cache lacks them; null if there are none
   */
  public record Training(
      long steps, TrainSpec.@Nullable KeptStep chosen, @Nullable Integer rowsLeftOut)
      implements Serializable {}

  /**
   * The unweighted terms of the loss, by name.
   *
   * @param first the mean of each term over the first tenth of the steps
   * @param last the mean of each term over the last tenth of the steps
   * @param validation each term over the rows of {@code train.validation}, with the weighted sum as
   *     {@code loss} and the task's metrics; empty without such rows
   */
  public record Losses(
      Map<String, Double> first, Map<String, Double> last, Map<String, Double> validation)
      implements Serializable {}

  /**
   * The speed of the process that finished the student.
   *
   * @param seconds wall time of its steps
   * @param tokensPerSecond real tokens, without padding
   * @param waitShare share of the time spent waiting for data, in 0..1
   * @param threads the number of libtorch threads
   */
  public record Speed(double seconds, double tokensPerSecond, double waitShare, int threads)
      implements Serializable {}

  /**
   * Reads a finished student. Returns empty if it is not finished.
   *
   * @throws io.stillhouse.error.StillhouseException if its directory contains a student of another
   *     recipe
   */
  public static Optional<TrainedStudent> finished(Storage storage, StudentRun run)
      throws IOException {
    if (!storage.exists(run.directory())) {
      return Optional.empty();
    }
    TrainedStudent trained = read(storage, run.directory()).orElse(null);
    if (trained == null || !trained.fingerprint().equals(run.fingerprint())) {
      throw Errors.invalid(
          format("'%s' contains a student of another recipe or cache", run.directory()),
          "choose another student.name or train.path, or delete that directory");
    }
    return Optional.of(trained);
  }

  /** Returns the fingerprint of a finished student, or "" if the directory does not contain one. */
  public static String fingerprint(Storage storage, Path student) throws IOException {
    TrainedStudent trained = read(storage, student).orElse(null);
    @Nullable String fingerprint = trained == null ? null : trained.fingerprint();
    return fingerprint == null ? "" : fingerprint;
  }

  /** Returns the pruned heads of a finished student. */
  public static PrunedHeads prunedHeads(Storage storage, Path student) throws IOException {
    TrainedStudent trained = read(storage, student).orElse(null);
    List<List<Integer>> blocks = trained == null ? null : trained.model().prunedHeads();
    return blocks == null ? PrunedHeads.NONE : new PrunedHeads(blocks);
  }

  /** Returns the record in a student's directory; empty if there is none. */
  public static Optional<TrainedStudent> read(Storage storage, Path student) throws IOException {
    Path file = new Path(student, FILE);
    return storage.exists(file)
        ? Optional.ofNullable(Storage.JSON.fromJson(storage.readText(file), TrainedStudent.class))
        : Optional.empty();
  }

  /** Writes {@code training.json} into a student's directory. */
  void write(java.nio.file.Path student) throws IOException {
    java.nio.file.Files.writeString(student.resolve(FILE), Storage.json(this) + "\n");
  }

  /** Returns the student's number of parameters. */
  public long parameters() {
    return model.parameters();
  }

  /** Returns the number of steps that the student was trained for. */
  public long steps() {
    return training.steps();
  }

  /** Returns a one-line summary for users. */
  public String summary() {
    StringBuilder line =
        new StringBuilder(
            format(
                "%s: %,d parameters, %,d steps, %,.0f tokens/s",
                name, parameters(), steps(), speed.tokensPerSecond()));
    losses
        .first()
        .forEach(
            (term, first) ->
                line.append(format(", %s %.3f to %.3f", term, first, losses.last().get(term))));
    losses
        .validation()
        .forEach((term, value) -> line.append(format(", validation %s %.4f", term, value)));
    if (model.prunedHeads() != null) {
      line.append(format(", %,d heads pruned", new PrunedHeads(model.prunedHeads()).count()));
    }
    if (training.rowsLeftOut() != null) {
      line.append(format(", %,d rows left out", training.rowsLeftOut()));
    }
    if (training.chosen() != null) {
      line.append(format(", best at step %,d", training.chosen().step()));
    }
    return line.toString();
  }
}
