package io.stillhouse.jobs.train.student;

import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The part of a teacher's targets in a cache that a student reads.
 *
 * @param columns the columns that contain the targets of its loss, or what targets are rebuilt from
 * @param teacherTensors the names of the teacher's weights that rebuild targets
 */
public record ColumnSelection(Set<Column> columns, Set<String> teacherTensors) {

  /**
   * Selects the columns and weights for a loss.
   *
   * @param targetStorage how targets are stored according to the recipe
   * @param stored whether the cache has a column; a stored column is read even if the recipe would
   *     not store it
   */
  public static ColumnSelection of(
      DistillSpec loss,
      EncoderSpec teacher,
      StudentRun.TargetStorage targetStorage,
      Predicate<Column> stored) {
    ColumnSelection reads = new ColumnSelection(new LinkedHashSet<>(), new LinkedHashSet<>());
    if (loss.softLabel().weight() != 0) {
      reads.softLabels(loss, teacher, targetStorage.mlm());
    }
    loss.studentHidden()
        .forEach(layer -> reads.hidden(loss.layerMap().get(layer), teacher, stored));
    Scores scores = new Scores(targetStorage.scores(), teacher, stored);
    for (int studentBlock : loss.scoreBlocks()) {
      int block = loss.layerMap().get(studentBlock);
      if (!reads.stored(Targets.attention(block), block, scores)) {
        reads.derived(AttentionPart.QUERY, block, scores);
        reads.derived(AttentionPart.KEY, block, scores);
      }
    }
    boolean ownHeads = loss.relations().heads() == teacher.heads();
    for (int studentBlock : loss.relationBlocks()) {
      int block = loss.layerMap().get(studentBlock);
      for (AttentionPart part : loss.relationParts()) {
        boolean mayBeStored = part == AttentionPart.VALUE && ownHeads;
        if (!(mayBeStored && reads.stored(Targets.valueRelations(block), block, scores))) {
          reads.derived(part, block, scores);
        }
      }
    }
    return reads;
  }

  /** How the recipe stores scores, the teacher, and whether the cache has a column. */
  private record Scores(StudentRun.Scores origin, EncoderSpec teacher, Predicate<Column> stored) {}

  /** Adds the column of a block's scores or value relations, or returns false to derive them. */
  private boolean stored(Column column, int block, Scores scores) {
    boolean derivable = block == 1 || scores.stored().test(Targets.hidden(block - 1));
    boolean there = scores.stored().test(column);
    boolean reads =
        (scores.origin() == StudentRun.Scores.STORED && !(derivable && !there))
            || (there && !derivable);
    if (reads) {
      columns.add(column);
    }
    return reads;
  }

  private void derived(AttentionPart part, int block, Scores scores) {
    hidden(block - 1, scores.teacher(), scores.stored());
    teacherTensors.add(part.layer(scores.teacher().prefixOf(block)) + ".weight");
    teacherTensors.add(part.layer(scores.teacher().prefixOf(block)) + ".bias");
  }

  private void softLabels(DistillSpec loss, EncoderSpec teacher, MlmTargets mlm) {
    if (teacher.head().task() != Task.MASKED_LM) {
      columns.add(Targets.LOGITS);
    } else if (mlm.kind() == MlmTargets.Kind.TOP_K) {
      columns.addAll(
          List.of(mlm.topIds(), mlm.topLogits(), mlm.logPartition(loss.softLabel().temperature())));
    } else if (mlm.stored()) {
      columns.addAll(mlm.columns());
    } else {
      columns.add(Targets.hidden(teacher.layers()));
      tensors(teacher, "cls.");
      teacherTensors.add(EncoderSpec.WORDS);
    }
  }

  /** Adds a hidden state; the embedding output is rebuilt from the ids if it is not stored. */
  private void hidden(int layer, EncoderSpec teacher, Predicate<Column> stored) {
    if (layer == 0 && !stored.test(Targets.hidden(0))) {
      tensors(teacher, "bert.embeddings.");
      tensors(teacher, EncoderSpec.MAPPING);
    } else {
      columns.add(Targets.hidden(layer));
    }
  }

  private void tensors(EncoderSpec teacher, String prefix) {
    teacher.parameters().keySet().stream()
        .filter(name -> name.startsWith(prefix))
        .forEach(teacherTensors::add);
  }
}
