package io.stillhouse.jobs.train.recipe;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.jobs.train.student.StudentRun;
import java.io.IOException;
import java.util.List;

/**
 * The checked job of one stage: its caches are open and its students are known, but nothing is
 * written yet.
 *
 * @param <R> what the job returns
 */
public interface StageJob<R> {
  /**
   * Returns the students. In a stage after the first they are shown as they would start from the
   * first stage; {@link #run} starts them from the weights that the stages before have made.
   */
  List<StudentRun> students();

  /** Returns the teacher whose targets the stage reads. */
  HuggingFaceDirectory teacher();

  /** Trains the students that are not finished yet. */
  R run() throws IOException;
}
