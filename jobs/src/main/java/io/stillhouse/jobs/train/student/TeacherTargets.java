package io.stillhouse.jobs.train.student;

import ai.djl.ndarray.NDManager;
import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.codec.TeacherParts;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.target.MlmTargets;
import java.io.IOException;

/**
 * The targets of one teacher, in an open cache.
 *
 * @param reader the reader of the cache, without target columns
 * @param teacher the cache's copy of the model
 * @param selection the columns and the teacher's weights that the student reads
 */
record TeacherTargets(CacheReader reader, HuggingFaceDirectory teacher, ColumnSelection selection) {

  /**
   * Selects what a student reads.
   *
   * @param loss what the student learns from this teacher
   * @param targetStorage how targets are stored according to the recipe
   */
  static TeacherTargets of(
      CacheReader reader, DistillSpec loss, StudentRun.TargetStorage targetStorage)
      throws IOException {
    HuggingFaceDirectory teacher = reader.teacher();
    return new TeacherTargets(
        reader, teacher, ColumnSelection.of(loss, teacher.spec(), targetStorage, reader::has));
  }

  /** Loads only the weights that rebuild targets that are not stored. */
  TeacherParts parts(NDManager manager, MlmTargets mlm) throws IOException {
    return new TeacherParts(
        selection.teacherTensors().isEmpty()
            ? null
            : new Encoder(teacher.spec(), teacher.weights(manager, selection.teacherTensors())),
        mlm);
  }
}
