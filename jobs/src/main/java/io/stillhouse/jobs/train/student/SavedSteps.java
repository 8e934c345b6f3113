package io.stillhouse.jobs.train.student;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Describes what an interrupted training of some students has saved. */
public final class SavedSteps {
  private static final Logger LOG = LoggerFactory.getLogger(SavedSteps.class);
  private static final int MAX_STUDENTS_NAMED = 4;

  private SavedSteps() {}

  /**
   * Returns a phrase, such as "distilled has a checkpoint of step 120 of 500".
   *
   * @param steps returns the number of steps of a student's whole training
   */
  public static String words(
      Storage storage, List<StudentRun> students, ToLongFunction<StudentRun> steps) {
    try {
      return students.size() > MAX_STUDENTS_NAMED
          ? counted(storage, students)
          : named(storage, students, steps);
    } catch (IOException | StillhouseException e) {
      LOG.warn("Cannot read what is saved; it is kept, and the next run resumes from it", e);
      return "";
    }
  }

  private static String named(
      Storage storage, List<StudentRun> students, ToLongFunction<StudentRun> steps)
      throws IOException {
    List<String> words = new ArrayList<>();
    for (StudentRun run : students) {
      long saved = newestStep(storage, run);
      words.add(
          TrainedStudent.finished(storage, run).isPresent()
              ? run.name() + " is trained"
              : saved == 0
                  ? run.name() + " has no checkpoint yet"
                  : format(
                      "%s has a checkpoint of step %,d of %,d",
                      run.name(), saved, steps.applyAsLong(run)));
    }
    return String.join(", ", words);
  }

  private static String counted(Storage storage, List<StudentRun> students) throws IOException {
    int trained = 0;
    int saved = 0;
    for (StudentRun run : students) {
      if (TrainedStudent.finished(storage, run).isPresent()) {
        trained++;
      } else if (newestStep(storage, run) > 0) {
        saved++;
      }
    }
    return format(
        "%,d of %,d students are trained, %,d others have checkpoints",
        trained, students.size(), saved);
  }

  private static long newestStep(Storage storage, StudentRun run) throws IOException {
    return new HadoopCheckpoints(storage, run.checkpoints(), History.empty()).newestStep();
  }
}
