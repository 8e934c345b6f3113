package io.stillhouse.jobs.cache.layout;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Seal;
import io.stillhouse.jobs.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The progress of the students of a rolling window. Each student has a small sealed file that
 * records which shard it needs next. {@code train} writes these files and the cache's driver reads
 * them. Deleting a file gives up its student.
 */
public final class Acknowledgements {
  static final String DIRECTORY = "window";

  private final Storage storage;
  private final Path directory;

  /**
   * The progress of one student.
   *
   * @param student its name
   * @param directory directory of all students of the same training
   * @param needs the first shard, in plan order, that it has not read yet; the number of shards if
   *     it has read them all
   */
  public record Student(String student, String directory, int needs) {}

  public Acknowledgements(Storage storage, Path cache) {
    this.storage = storage;
    this.directory = new Path(cache, DIRECTORY);
  }

  /** Returns the file of a student. */
  public Path file(String student) {
    return new Path(directory, student + ".json");
  }

  /** Replaces the file of a student. */
  public void write(Student student) throws IOException {
    storage.writeText(file(student.student()), Seal.seal(Storage.json(student)));
  }

  /** Returns the progress of a student, or null if it has no file. */
  public @Nullable Student of(String student) throws IOException {
    return read(file(student));
  }

  /** Returns the progress of all students, sorted by name. */
  public List<Student> all() throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    if (!fs.exists(directory)) {
      return List.of();
    }
    List<Student> all = new ArrayList<>();
    for (Path file :
        Arrays.stream(fs.listStatus(directory))
            .map(FileStatus::getPath)
            .filter(path -> path.getName().matches("[^_].*\\.json"))
            .toList()) {
      Student student = read(file);
      if (student != null) {
        all.add(student);
      }
    }
    all.sort(Comparator.comparing(Student::student));
    return all;
  }

  private @Nullable Student read(Path file) throws IOException {
    String text;
    try {
      text = Seal.open(storage.readText(file));
    } catch (FileNotFoundException e) {
      return null;
    }
    if (text == null) {
      throw Errors.invalid(
          format("'%s' is damaged", file),
          "delete it and run train again, which writes it; or just delete it to give up the"
              + " student");
    }
    return Storage.JSON.fromJson(text, Student.class);
  }
}
