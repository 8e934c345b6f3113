package io.stillhouse.jobs.cache.layout;

import org.apache.hadoop.fs.Path;

/**
 * Where a teacher and its targets lie in a cache: the first teacher's in the cache itself, another
 * one's in {@code teachers/NAME}. The first has the name "".
 */
public final class TeacherFolder {
  /** Name of the directory that holds a teacher's model. */
  public static final String NAME = "teacher";

  static final String OTHERS = "teachers";

  private TeacherFolder() {}

  /** Returns what the paths of its files, relative to the cache, start with. */
  public static String prefix(String teacher) {
    return teacher.isEmpty() ? "" : OTHERS + "/" + teacher + "/";
  }

  static Path of(Path cache, String teacher) {
    return teacher.isEmpty() ? cache : new Path(cache, OTHERS + "/" + teacher);
  }

  /** Returns its Hugging Face directory. */
  public static Path model(Path cache, String teacher) {
    return new Path(of(cache, teacher), NAME);
  }
}
