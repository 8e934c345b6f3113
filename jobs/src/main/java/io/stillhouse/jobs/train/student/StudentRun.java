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
 * One student to train. It is serialized to tasks, so it holds no open files.
 *
 * @param name the name of the student and of its directory
 * @param model its shape
 * @param loss what it learns
 * @param train how it is trained
 * @param start where its initial weights come from
 * @param paths where its inputs and outputs are
 */
public record StudentRun(
    String name, ModelSpec model, DistillSpec loss, TrainSpec train, Start start, Paths paths)
    implements Serializable {

  /**
   * Where a student's initial weights come from.
   *
   * @param directory a Hugging Face directory, or null for random weights; for a BiLSTM the
   *     teacher's directory, whose word vectors it takes, or a file of word vectors
   * @param blocks the block of that model, counted from 1, for each student block
   * @param pruned the student's heads that are left out
   * @param sourceFingerprint the fingerprint of the student in that directory, or "" if it was not
   *     trained by Stillhouse; students trained by different recipes are different starts
   */
  public record Start(
      @Nullable String directory,
      List<Integer> blocks,
      PrunedHeads pruned,
      String sourceFingerprint)
      implements Serializable {
    public Start {
      blocks = List.copyOf(blocks); // a sublist is not serializable
    }

    /** Creates a start from a model that was not trained by Stillhouse. */
    public Start(@Nullable String directory, List<Integer> blocks, PrunedHeads pruned) {
      this(directory, blocks, pruned, "");
    }

    /** Creates a start without pruned heads. */
    public Start(@Nullable String directory, List<Integer> blocks) {
      this(directory, blocks, PrunedHeads.NONE);
    }

    /** Creates a start from a student of the same shape, block by block. */
    public static Start allBlocks(Path directory, int layers, PrunedHeads pruned) {
      return new Start(
          directory.toString(), IntStream.rangeClosed(1, layers).boxed().toList(), pruned);
    }

    /** Returns a copy with the given fingerprint of the student in the directory. */
    public Start withFingerprint(String fingerprint) {
      return new Start(directory, blocks, pruned, fingerprint);
    }
  }

  /** Where attention scores come from. */
  public enum Scores {
    DERIVED,
    STORED
  }

  /** How targets are stored according to the recipe. */
  public record TargetStorage(MlmTargets mlm, Scores scores) implements Serializable {
    /** The storage of a student that learns from labels alone. */
    public static final TargetStorage NONE = new TargetStorage(MlmTargets.NONE, Scores.DERIVED);
  }

  /**
   * Where a student's inputs and outputs are.
   *
   * @param cache the cache that contains the targets
   * @param teacher the recipe's {@code teacher.name}, whose targets are read
   * @param targetStorage how the targets are stored in the cache
   * @param validation a cache of validation rows, or null
   * @param students the directory of all students
   * @param cacheFingerprints the fingerprints of the cache's plan
   * @param joined the additional teachers and the rows that all teachers have
   */
  public record Paths(
      String cache,
      String teacher,
      TargetStorage targetStorage,
      @Nullable String validation,
      String students,
      Map<String, String> cacheFingerprints,
      JoinedTeachers joined)
      implements Serializable {
    /** Creates the paths of a student of one teacher. */
    public Paths(
        String cache,
        String teacher,
        TargetStorage targetStorage,
        @Nullable String validation,
        String students,
        Map<String, String> cacheFingerprints) {
      this(
          cache,
          teacher,
          targetStorage,
          validation,
          students,
          cacheFingerprints,
          JoinedTeachers.NONE);
    }

    /** Returns a copy that also reads the given caches. */
    public Paths with(JoinedTeachers others) {
      return new Paths(
          cache, teacher, targetStorage, validation, students, cacheFingerprints, others);
    }

    CacheSource source() {
      return new CacheSource(cache, teacher, cacheFingerprints);
    }
  }

  /** Returns a copy with the given number of threads, unless the recipe sets it. */
  public StudentRun withDefaultThreads(int threads) {
    return train.run().threads() != 0 ? this : with(train.withThreads(threads));
  }

  /** Returns a copy with the given selection of weights. */
  public StudentRun withSelection(TrainSpec.Selection selection) {
    return with(train.withSelection(selection));
  }

  /** Returns a copy that reads other rows of its cache, for which it may need other epochs. */
  public StudentRun reading(JoinedTeachers rows, TrainSpec spec) {
    return new StudentRun(name, model, loss, spec, start, paths.with(rows));
  }

  /** Returns a copy with another start. */
  public StudentRun withStart(Start other) {
    return new StudentRun(name, model, loss, train, other, paths);
  }

  private StudentRun with(TrainSpec other) {
    return new StudentRun(name, model, loss, other, start, paths);
  }

  /** Returns the directory of the finished student. */
  public Path directory() {
    return new Path(paths.students(), name);
  }

  /**
   * Returns the directory of the student's checkpoints, which is deleted when the student is
   * finished.
   */
  public Path checkpoints() {
    return new Path(paths.students(), "_checkpoints/" + name);
  }

  /**
   * Returns a hash of everything that the weights depend on, except for the number of threads,
   * which a resumed run may have to change.
   */
  public String fingerprint() {
    return StudentFingerprint.of(this);
  }
}
