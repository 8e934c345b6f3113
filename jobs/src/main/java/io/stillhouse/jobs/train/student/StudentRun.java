package io.stillhouse.jobs.train.student;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Precision;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.MlmTargets;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * One student to train.
 *
 * @param name of the student
 * @param model its shape
 * @param loss what it learns from
 * @param train how
 * @param start where its weights come from
 * @param places where things lie
 */
public record StudentRun(
    String name, ModelSpec model, DistillSpec loss, TrainSpec train, Start start, Paths places)
    implements Serializable {

  /**
   * Where weights come from.
   *
   * @param directory Hugging Face directory, or null for random weights; of a BiLSTM that of the
   *     teacher, whose word vectors it takes, or a file of word vectors
   * @param blocks its blocks, from 1, for the student's
   * @param pruned heads of the student's that are left out
   * @param made the fingerprint of the student there, if it is one: another recipe's is another
   *     start
   */
  public record Start(String directory, List<Integer> blocks, PrunedHeads pruned, String made)
      implements Serializable {
    public Start {
      blocks = List.copyOf(blocks); // a sublist is not serializable
    }

    /** Starts without some heads. */
    public Start(String directory, List<Integer> blocks, PrunedHeads pruned) {
      this(directory, blocks, pruned, "");
    }

    /** Starts with every head. */
    public Start(String directory, List<Integer> blocks) {
      this(directory, blocks, PrunedHeads.NONE);
    }

    /** Starts from a student of the same shape, block by block. */
    static Start whole(Path directory, int layers, PrunedHeads pruned) {
      return new Start(
          directory.toString(), IntStream.rangeClosed(1, layers).boxed().toList(), pruned);
    }

    /** Returns the same, of a student with a fingerprint. */
    Start of(String fingerprint) {
      return new Start(directory, blocks, pruned, fingerprint);
    }

    /** Returns the same without some heads. */
    Start pruning(PrunedHeads heads) {
      return new Start(directory, blocks, heads, made);
    }

    private String fingerprint() {
      return "Start[directory=%s, blocks=%s%s%s]"
          .formatted(
              directory,
              blocks,
              pruned.isEmpty() ? "" : ", pruned=" + pruned.blocks(),
              made.isEmpty() ? "" : ", made=" + made);
    }
  }

  /** Where attention scores come from. */
  public enum Scores {
    DERIVED,
    STORED
  }

  /** How the recipe says that targets are kept. */
  public record TargetStorage(MlmTargets mlm, Scores scores) implements Serializable {
    /** What a student without targets needs. */
    public static final TargetStorage NOTHING = new TargetStorage(MlmTargets.NONE, Scores.DERIVED);
  }

  /**
   * Where things lie.
   *
   * @param cache the targets
   * @param teacher whose targets: {@code teacher.name}
   * @param kept how they are kept there
   * @param validation a cache whose rows give the loss of a finished student, or null
   * @param students the directory of all students
   * @param cacheFingerprints of the cache's plan
   * @param joined what comes from other caches
   */
  public record Paths(
      String cache,
      String teacher,
      TargetStorage kept,
      @Nullable String validation,
      String students,
      Map<String, String> cacheFingerprints,
      Joined joined)
      implements Serializable {
    /** Of a student of one teacher. */
    public Paths(
        String cache,
        String teacher,
        TargetStorage kept,
        @Nullable String validation,
        String students,
        Map<String, String> cacheFingerprints) {
      this(cache, teacher, kept, validation, students, cacheFingerprints, Joined.NOTHING);
    }

    /** Returns the same with other caches beside. */
    Paths with(Joined others) {
      return new Paths(cache, teacher, kept, validation, students, cacheFingerprints, others);
    }
  }

  /** Returns the same with the threads that it has where the recipe leaves them open. */
  public StudentRun orThreads(int threads) {
    return train.run().threads() != 0 ? this : with(train.withThreads(threads));
  }

  /** Returns the same with another choice of weights. */
  public StudentRun selecting(TrainSpec.Selection selection) {
    return with(train.withSelection(selection));
  }

  private StudentRun with(TrainSpec other) {
    return new StudentRun(name, model, loss, other, start, places);
  }

  /** Returns where the finished student goes. */
  public Path directory() {
    return new Path(places.students(), name);
  }

  /** Returns where its checkpoints are kept until it is finished. */
  public Path checkpoints() {
    return new Path(places.students(), "_checkpoints/" + name);
  }

  /**
   * Returns a hash of everything that the weights depend on but the thread count, which a resumed
   * run may have to change.
   */
  public String fingerprint() {
    String text =
        "%s|%s|%s|%s|%d|%s|%d|%d|%s|%s|%s"
                .formatted(
                    model,
                    loss,
                    train.optimiser(),
                    train.rounds().used() ? train.rounds() : TrainSpec.Rounds.NONE,
                    train.epochs(),
                    train.batching(),
                    train.run().seed(),
                    train.run().maxSteps(),
                    start.fingerprint(),
                    places.kept(),
                    places.cacheFingerprints())
            + (train.selection().keep() == TrainSpec.Keep.LAST
                ? ""
                : "|%s|%s".formatted(train.selection(), places.validation()))
            + (train.run().precision() == Precision.FLOAT32 ? "" : "|" + train.run().precision())
            + places.joined().fingerprint();
    return HexFormat.of().formatHex(Storage.digest().digest(text.getBytes(StandardCharsets.UTF_8)));
  }
}
