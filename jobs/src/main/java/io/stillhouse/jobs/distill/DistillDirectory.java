package io.stillhouse.jobs.distill;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonParseException;
import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.jobs.storage.Completeness;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.commons.io.FileUtils;

/**
 * The directory of all results of a run.
 *
 * @param path the directory as the user wrote it, which starts all paths of the recipe
 */
record DistillDirectory(Path path) {
  static final String RECORD = "distill.json";
  static final String RECIPE = "recipe.conf";
  static final String DATA = "data";
  static final String BASE = "base";
  static final String TEACHER = "teacher";
  static final String CACHE = "cache";
  static final String VALIDATION_CACHE = "validation-cache";
  static final String STUDENTS = "students";
  static final String PLAN = "plan.json";
  static final String EVALUATION = "evaluation.json";
  static final String EXPORT = "export";

  private static final String TEACHER_WORK = "_teacher-work";

  /** What precedes the recipe, and depends on the settings. */
  private static final List<String> FIRST_RESULTS = List.of(DATA, BASE, TEACHER, TEACHER_WORK);

  private static final List<String> LATER_RESULTS =
      List.of(RECIPE, PLAN, CACHE, VALIDATION_CACHE, STUDENTS, EVALUATION, EXPORT);

  /** Characters that Hadoop's paths or Spark's patterns of paths interpret. */
  private static final Pattern SPECIAL = Pattern.compile("[:*?{}\\[\\]\\\\]");

  /**
   * Creates the directory if it does not exist.
   *
   * @throws StillhouseException if its path has a character with a special meaning, or it cannot be
   *     written
   */
  DistillDirectory {
    if (path.toString().isBlank()) {
      throw Errors.invalid("the directory of distill is empty", "name a local directory");
    }
    if (SPECIAL.matcher(path.toAbsolutePath().toString()).find()) {
      throw Errors.invalid(
          format(
              "the directory of distill is '%s', whose path contains one of : * ? { } [ ] and \\",
              path.toAbsolutePath()),
          "name another directory");
    }
    try {
      Files.createDirectories(path);
    } catch (FileAlreadyExistsException e) {
      throw Errors.invalid(
          format("the directory of distill, '%s', is a file", path), "name a directory", e);
    } catch (IOException e) {
      throw unwritable(path, e);
    }
    if (!Files.isWritable(path)) {
      throw unwritable(path, new IOException("not writable"));
    }
  }

  private static StillhouseException unwritable(Path path, IOException cause) {
    return Errors.invalid(
        format("the directory of distill, '%s', cannot be written", path),
        "name another directory, or change its permissions",
        cause);
  }

  /** Returns the local path of a file. */
  Path local(String name) {
    return path.resolve(name);
  }

  /** Returns the absolute path of a file. */
  org.apache.hadoop.fs.Path file(String name) {
    return new org.apache.hadoop.fs.Path(local(name).toAbsolutePath().normalize().toUri());
  }

  /** Returns the path of a file as recipes name it, relative if the user's path is. */
  String inRecipe(String name) {
    return path + "/" + name;
  }

  /** Returns whether a file exists. */
  boolean has(String name) {
    return Files.exists(local(name));
  }

  /**
   * Requires that there is nothing with the name of a result, which could be a file of the user.
   *
   * @throws StillhouseException naming the first such file
   */
  void requireNoResults() {
    for (List<String> names : List.of(FIRST_RESULTS, LATER_RESULTS)) {
      for (String name : names) {
        if (has(name)) {
          throw Errors.invalid(
              format(
                  "'%s' contains '%s' but no %s, so it is not the directory of an earlier distill",
                  path, name, RECORD),
              "name another directory");
        }
      }
    }
  }

  /**
   * Reads a result that was written as JSON.
   *
   * @throws StillhouseException if it is damaged
   */
  static <T> T read(Storage storage, org.apache.hadoop.fs.Path file, Class<T> type)
      throws IOException {
    try {
      T value = Storage.JSON.fromJson(storage.readText(file), type);
      if (value != null && Completeness.isComplete(value)) {
        return value;
      }
    } catch (JsonParseException e) {
      throw Errors.invalid(format("'%s' is damaged", file), "use another directory", e);
    }
    throw Errors.invalid(format("'%s' is not complete", file), "use another directory");
  }

  /** Deletes what precedes the recipe. */
  void clear() throws IOException {
    for (String name : FIRST_RESULTS) {
      FileUtils.deleteDirectory(local(name).toFile());
    }
  }
}
