package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.jobs.train.student.JoinedTeachers;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.Example;
import io.stillhouse.target.TargetSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Restricts students that learn from labels alone, such as baselines, to the rows of a cache that
 * have a label. They take as many steps as with all rows.
 */
final class LabelledRows {
  private final TrainingCache cache;
  private final Map<TrainSpec.Order, List<BitSet>> unlabelled =
      new EnumMap<>(TrainSpec.Order.class);

  LabelledRows(TrainingCache cache) {
    this.cache = cache;
  }

  /**
   * Returns a student, restricted to the labelled rows if it learns from labels alone.
   *
   * @param run a student with all rows of the cache that its teachers have
   * @throws io.stillhouse.error.StillhouseException if rows must be left out of a cache with a
   *     window
   */
  StudentRun of(StudentRun run) throws IOException {
    boolean hasTeacher =
        run.loss().softLabel().weight() != 0
            || run.loss().readsLayers()
            || !run.paths().joined().additional().isEmpty();
    if (hasTeacher || !run.model().head().task().pooled() || !cache.hasUnlabelledRows()) {
      return run;
    }
    cache.requireNoWindow(format("its rows without labels are left out for %s", run.name()));
    TrainSpec.Order order = run.train().batching().order();
    if (!unlabelled.containsKey(order)) {
      unlabelled.put(order, find(StudentParts.inOrder(cache.reader(), run.train())));
    }
    JoinedTeachers labelled =
        run.paths().joined().leavingOut(unlabelled.getOrDefault(order, List.of()));
    StudentRun restricted = run.reading(labelled, run.train());
    return run.reading(labelled, run.train().withRows(cache.rows(restricted), cache.rows(run)));
  }

  /** Returns the positions of the rows without a label in each shard. */
  private static List<BitSet> find(TargetSource rows) throws IOException {
    List<BitSet> found = new ArrayList<>();
    for (int shard = 0; shard < rows.shardRows().size(); shard++) {
      BitSet out = new BitSet();
      List<Example> examples = rows.read(shard);
      for (int row = 0; row < examples.size(); row++) {
        out.set(row, !examples.get(row).inputs().labelled());
      }
      found.add(out);
    }
    return found;
  }
}
