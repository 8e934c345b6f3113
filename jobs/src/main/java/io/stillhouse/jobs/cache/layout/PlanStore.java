package io.stillhouse.jobs.cache.layout;

import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The files that hold copies of the plan's later parts and of the additional teachers. Readers use
 * the manifest; these files restore it.
 */
public final class PlanStore {
  private final Storage storage;
  private final Path cache;

  public PlanStore(Storage storage, Path cache) {
    this.storage = storage;
    this.cache = cache;
  }

  /** Returns the parts whose files are undamaged. */
  public List<PlanPart> parts() throws IOException {
    List<PlanPart> parts = new ArrayList<>();
    for (Path file : partFiles()) {
      PlanPart part = part(file);
      if (part != null) {
        parts.add(part);
      }
    }
    return parts;
  }

  /** Returns the teachers whose files are undamaged. */
  public List<CachedTeacher> teachers() throws IOException {
    List<CachedTeacher> teachers = new ArrayList<>();
    for (Path file : teacherFiles()) {
      CachedTeacher teacher = teacher(file);
      if (teacher != null) {
        teachers.add(teacher);
      }
    }
    return teachers;
  }

  /** Describes which of these files are damaged or missing. */
  public List<String> faults(CacheState state) throws IOException {
    List<String> faults = new ArrayList<>();
    for (Path file : partFiles()) {
      if (part(file) == null) {
        faults.add(file.getName() + ": damaged");
      }
    }
    for (PlanPart part : state.parts()) {
      if (!storage.exists(part.file(cache))) {
        faults.add(part.file(cache).getName() + ": missing");
      }
    }
    for (Path file : teacherFiles()) {
      if (teacher(file) == null) {
        faults.add(ofTeacher(file) + ": damaged");
      }
    }
    for (CachedTeacher teacher : state.teachers().values()) {
      if (!storage.exists(teacher.file(cache))) {
        faults.add(ofTeacher(teacher.file(cache)) + ": missing");
      }
    }
    return faults;
  }

  /** Returns the files whose content is in no manifest entry. */
  public List<String> unlisted(CacheState state) throws IOException {
    List<String> unlisted = new ArrayList<>();
    for (PlanPart part : parts()) {
      if (!state.parts().contains(part)) {
        unlisted.add(part.file(cache).getName());
      }
    }
    for (CachedTeacher teacher : teachers()) {
      if (!state.teachers().containsValue(teacher)) {
        unlisted.add(ofTeacher(teacher.file(cache)));
      }
    }
    return unlisted;
  }

  private static String ofTeacher(Path file) {
    return TeacherFolder.prefix(file.getParent().getName()) + file.getName();
  }

  private @Nullable PlanPart part(Path file) throws IOException {
    PlanPart part = PlanPart.parse(storage.readText(file));
    return part != null && part.file(cache).getName().equals(file.getName()) ? part : null;
  }

  private @Nullable CachedTeacher teacher(Path file) throws IOException {
    CachedTeacher teacher = CachedTeacher.parse(storage.readText(file));
    return teacher != null && teacher.name().equals(file.getParent().getName()) ? teacher : null;
  }

  private List<Path> partFiles() throws IOException {
    return list(cache, file -> file.getPath().getName().matches("plan-\\d{6,}\\.json"));
  }

  private List<Path> teacherFiles() throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path folder : teacherFolders()) {
      Path file = new Path(folder, CachedTeacher.FILE);
      if (storage.exists(file)) {
        files.add(file);
      }
    }
    return files;
  }

  /** Returns the directories of the additional teachers. */
  List<Path> teacherFolders() throws IOException {
    return list(new Path(cache, TeacherFolder.OTHERS), FileStatus::isDirectory);
  }

  private List<Path> list(Path directory, Predicate<FileStatus> wanted) throws IOException {
    FileSystem fs = storage.fileSystem(directory);
    return fs.exists(directory)
        ? Arrays.stream(fs.listStatus(directory))
            .filter(wanted)
            .map(FileStatus::getPath)
            .sorted()
            .toList()
        : List.of();
  }
}
