package io.stillhouse.jobs.cache.layout;

import org.apache.hadoop.fs.Path;

/**
 * The directories of a cache's teachers and their targets: the first teacher, named "", uses the
 * cache itself, an additional one {@code teachers/NAME}.
 */
public final class TeacherFolder {
  /** Name of the directory that holds a teacher's model. */
  public static final String NAME = "teacher";

  static final String OTHERS = "teachers";

  private TeacherFolder() {}

  /** Returns the prefix of a teacher's files, relative to the cache. */
  public static String prefix(String teacher) {
    return teacher.isEmpty() ? "" : OTHERS + "/" + teacher + "/";
  }

  static Path of(Path cache, String teacher) {
    return teacher.isEmpty() ? cache : new Path(cache, OTHERS + "/" + teacher);
  }

  /** Returns the Hugging Face directory of a teacher. */
  public static Path model(Path cache, String teacher) {
    return new Path(of(cache, teacher), NAME);
  }
}
