package io.stillhouse.jobs.train.recipe;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.jobs.train.student.StudentRun;
import java.io.IOException;
import java.util.List;

/**
 * The checked job of one stage: its caches are open and its students are known, but nothing is
 * written yet.
 *
 * @param <R> the result of the job
 */
public interface StageJob<R> {
  /**
   * Returns the students. After the first stage, they still have the start of the first stage;
   * {@link #run} starts them from the weights of the previous stages.
   */
  List<StudentRun> students();

  /** Returns the teacher whose targets the stage reads. */
  HuggingFaceDirectory teacher();

  /** Trains the students that are not finished yet. */
  R run() throws IOException;
}
