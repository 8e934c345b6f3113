package io.stillhouse.jobs.train.student;

import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.PrunedHeads;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.MlmTargets;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * One student to train. Tasks receive it whole, so it holds no open files.
 *
 * @param name of the student, and of its directory
 * @param model its shape
 * @param loss what it learns
 * @param train how it is trained
 * @param start where its weights come from
 * @param places where its inputs and outputs are
 */
public record StudentRun(
    String name, ModelSpec model, DistillSpec loss, TrainSpec train, Start start, Paths places)
    implements Serializable {

  /**
   * Where a student's first weights come from.
   *
   * @param directory a Hugging Face directory, or null for random weights; for a BiLSTM the
   *     teacher's directory, whose word vectors it takes, or a file of word vectors
   * @param blocks the block of that model, from 1, for each of the student's
   * @param pruned the student's heads that are left out
   * @param made the fingerprint of the student in that directory, "" if it is not a student of
   *     ours; a student that was trained by another recipe is another start
   */
  public record Start(
      @Nullable String directory, List<Integer> blocks, PrunedHeads pruned, String made)
      implements Serializable {
    public Start {
      blocks = List.copyOf(blocks); // a sublist is not serializable
    }

    /** Makes a start from a model that is no student of ours. */
    public Start(@Nullable String directory, List<Integer> blocks, PrunedHeads pruned) {
      this(directory, blocks, pruned, "");
    }

    /** Makes a start with every head. */
    public Start(@Nullable String directory, List<Integer> blocks) {
      this(directory, blocks, PrunedHeads.NONE);
    }

    /** Starts from a student of the same shape, block by block. */
    public static Start allBlocks(Path directory, int layers, PrunedHeads pruned) {
      return new Start(
          directory.toString(), IntStream.rangeClosed(1, layers).boxed().toList(), pruned);
    }

    /** Returns this start from a student with the given fingerprint. */
    public Start withFingerprint(String fingerprint) {
      return new Start(directory, blocks, pruned, fingerprint);
    }
  }

  /** Where attention scores come from. */
  public enum Scores {
    DERIVED,
    STORED
  }

  /** How the recipe says that targets are kept. */
  public record TargetStorage(MlmTargets mlm, Scores scores) implements Serializable {
    /** The storage of a student that learns from labels alone. */
    public static final TargetStorage NOTHING = new TargetStorage(MlmTargets.NONE, Scores.DERIVED);
  }

  /**
   * Where a student's inputs and outputs are.
   *
   * @param cache holds the targets
   * @param teacher the recipe's {@code teacher.name}, whose targets are read
   * @param kept how the targets are kept in the cache
   * @param validation a cache whose rows measure the student, or null
   * @param students the directory of all students
   * @param cacheFingerprints of the cache's plan
   * @param joined the further teachers and the rows that all teachers have
   */
  public record Paths(
      String cache,
      String teacher,
      TargetStorage kept,
      @Nullable String validation,
      String students,
      Map<String, String> cacheFingerprints,
      JoinedTeachers joined)
      implements Serializable {
    /** Makes the paths of a student of one teacher. */
    public Paths(
        String cache,
        String teacher,
        TargetStorage kept,
        @Nullable String validation,
        String students,
        Map<String, String> cacheFingerprints) {
      this(cache, teacher, kept, validation, students, cacheFingerprints, JoinedTeachers.NONE);
    }

    /** Returns a copy that also reads the given caches. */
    public Paths with(JoinedTeachers others) {
      return new Paths(cache, teacher, kept, validation, students, cacheFingerprints, others);
    }

    CacheSource source() {
      return new CacheSource(cache, teacher, cacheFingerprints);
    }
  }

  /** Returns a copy with the given threads if the recipe does not set them. */
  public StudentRun orThreads(int threads) {
    return train.run().threads() != 0 ? this : with(train.withThreads(threads));
  }

  /** Returns a copy that selects its weights in the given way. */
  public StudentRun selecting(TrainSpec.Selection selection) {
    return with(train.withSelection(selection));
  }

  /** Returns a copy with another start. */
  public StudentRun startingFrom(Start other) {
    return new StudentRun(name, model, loss, train, other, places);
  }

  private StudentRun with(TrainSpec other) {
    return new StudentRun(name, model, loss, other, start, places);
  }

  /** Returns the directory of the finished student. */
  public Path directory() {
    return new Path(places.students(), name);
  }

  /** Returns the directory of its checkpoints, which is deleted when it is finished. */
  public Path checkpoints() {
    return new Path(places.students(), "_checkpoints/" + name);
  }

  /**
   * Returns a hash of everything that the weights depend on, except for the number of threads,
   * which a resumed run may have to change.
   */
  public String fingerprint() {
    return StudentFingerprint.of(this);
  }
}
