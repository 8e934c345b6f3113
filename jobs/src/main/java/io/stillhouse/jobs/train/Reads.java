package io.stillhouse.jobs.train;

import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.Targets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * What a student reads of a cache.
 *
 * @param columns with the targets of its loss, or with what they are rebuilt from
 * @param teacherTensors the teacher's weights that rebuild them
 */
record Reads(Set<Column> columns, Set<String> teacherTensors) {
  private static final String WORDS = "bert.embeddings.word_embeddings.weight";

  /**
   * Finds them.
   *
   * @param kept how the recipe says that targets are kept
   * @param stored the columns that the cache has; where it has what the recipe does not name but
   *     could do with, that is read
   */
  static Reads of(
      DistillSpec loss, ModelSpec teacher, StudentRun.Kept kept, Predicate<Column> stored) {
    Reads reads = new Reads(new LinkedHashSet<>(), new LinkedHashSet<>());
    if (loss.softLabel().weight() != 0) {
      reads.softLabels(loss, teacher, kept.mlm());
    }
    loss.studentHidden()
        .forEach(layer -> reads.hidden(loss.layerMap().get(layer), teacher, stored));
    for (int studentBlock : loss.studentBlocks()) {
      int block = loss.layerMap().get(studentBlock);
      boolean derivable = block == 1 || stored.test(Targets.hidden(block - 1));
      boolean there = stored.test(Targets.attention(block));
      if (kept.scores() == StudentRun.Scores.STORED && !(derivable && !there)
          || there && !derivable) {
        reads.columns.add(Targets.attention(block));
      } else {
        reads.hidden(block - 1, teacher, stored);
        String prefix = teacher.prefixOf(block) + "attention.self.";
        Stream.of("query", "key")
            .flatMap(part -> Stream.of(prefix + part + ".weight", prefix + part + ".bias"))
            .forEach(reads.teacherTensors::add);
      }
    }
    return reads;
  }

  private void softLabels(DistillSpec loss, ModelSpec teacher, MlmTargets mlm) {
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
      teacherTensors.add(WORDS);
    }
  }

  /** The embedding output need not be stored: it is rebuilt from the ids. */
  private void hidden(int layer, ModelSpec teacher, Predicate<Column> stored) {
    if (layer == 0 && !stored.test(Targets.hidden(0))) {
      tensors(teacher, "bert.embeddings.");
      tensors(teacher, ModelSpec.MAPPING);
    } else {
      columns.add(Targets.hidden(layer));
    }
  }

  private void tensors(ModelSpec teacher, String prefix) {
    teacher.parameters().keySet().stream()
        .filter(name -> name.startsWith(prefix))
        .forEach(teacherTensors::add);
  }
}
