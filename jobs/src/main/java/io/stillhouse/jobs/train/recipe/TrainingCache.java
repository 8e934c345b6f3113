package io.stillhouse.jobs.train.recipe;

import static io.stillhouse.error.Text.format;

import io.stillhouse.checkpoint.HuggingFaceDirectory;
import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.CorpusFile;
import io.stillhouse.jobs.cache.read.CacheReader;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.ColumnSelection;
import io.stillhouse.jobs.train.student.StudentParts;
import io.stillhouse.jobs.train.student.StudentRun;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.Task;
import io.stillhouse.target.Column;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The open cache with its teacher, and the open validation rows, shared by the students of a recipe
 * or a sweep. Everything is opened and counted once.
 */
public final class TrainingCache {
  private final Path path;
  private final String teacherName;
  private final CacheReader reader;
  private final HuggingFaceDirectory teacher;
  private final boolean labelled;
  private final @Nullable Path validationPath;
  private final @Nullable CacheReader validation;
  private long @Nullable [] classCounts;

  private TrainingCache(
      Path path,
      String teacherName,
      CacheReader reader,
      @Nullable Path validationPath,
      @Nullable CacheReader validation)
      throws IOException {
    this.path = path;
    this.teacherName = teacherName;
    this.reader = reader;
    this.teacher = reader.teacher();
    this.validationPath = validationPath;
    this.validation = validation;
    this.labelled = anyLabelled(reader);
  }

  /**
   * Opens the caches of a recipe.
   *
   * @throws io.stillhouse.error.StillhouseException if a cache is missing or was created by another
   *     recipe
   */
  public static TrainingCache open(Storage storage, Settings settings) throws IOException {
    Path cache = storage.requireExisting(Options.CACHE.key(), settings.get(Options.CACHE));
    String teacherName = settings.get(Options.TEACHER_NAME);
    CacheReader reader = CacheReader.open(storage, cache, teacherName, List.of());
    reader.requireRecipe(settings);
    String given = settings.get(Options.VALIDATION);
    if (given.isEmpty()) {
      return new TrainingCache(cache, teacherName, reader, null, null);
    }
    Path validation = storage.requireExisting(Options.VALIDATION.key(), given);
    CacheReader rows = CacheReader.open(storage, validation, teacherName, List.of());
    requireValidation(validation, rows, cache, reader);
    return new TrainingCache(cache, teacherName, reader, validation, rows);
  }

  private static void requireValidation(
      Path path, CacheReader rows, Path cache, CacheReader reader) {
    if (rows.plan().window() != null) {
      throw Errors.invalid(
          format(
              "train.validation '%s' has a window, but every student reads all of its rows", path),
          format("cache the validation rows with %s=0", Options.CACHE_WINDOW.key()));
    }
    if (!rows.plan().teacherFiles().equals(reader.plan().teacherFiles())) {
      throw Errors.invalid(
          format(
              "train.validation '%s' was created with a different teacher than cache '%s'",
              path, cache),
          "cache the validation rows with the same teacher.path");
    }
  }

  Path path() {
    return path;
  }

  String teacherName() {
    return teacherName;
  }

  /** Returns the reader of the cache, without target columns. */
  public CacheReader reader() {
    return reader;
  }

  /** Returns the teacher whose targets the cache holds. */
  public HuggingFaceDirectory teacher() {
    return teacher;
  }

  /** Returns the reader of the validation rows, or null if the recipe names none. */
  public @Nullable CacheReader validation() {
    return validation;
  }

  @Nullable Path validationPath() {
    return validationPath;
  }

  /** Returns whether any of the rows that students are trained on have labels. */
  boolean isLabelled() {
    return labelled;
  }

  /** Returns whether any rows that students are trained on come from files without labels. */
  boolean hasUnlabelledRows() {
    return hasUnlabelledRows(reader);
  }

  private static boolean hasUnlabelledRows(CacheReader rows) {
    return rows.plan().corpusFiles().stream().anyMatch(CorpusFile::isUnlabelled);
  }

  /** Returns whether all rows of a cache of this teacher have labels. */
  public boolean isLabelled(CacheReader rows) throws IOException {
    return anyLabelled(rows) && !hasUnlabelledRows(rows);
  }

  /** Returns whether rows of a cache have labels; those of files without labels do not count. */
  private boolean anyLabelled(CacheReader rows) throws IOException {
    Task task = teacher.spec().head().task();
    if (task == Task.NONE) {
      return false;
    }
    if (hasUnlabelledRows(rows)) { // such a corpus has a label column
      return rows.plan().corpusFiles().stream().anyMatch(file -> !file.isUnlabelled());
    }
    List<InputRow> inputs = rows.inputs(0);
    return task == Task.MASKED_LM
        ? inputs.stream().anyMatch(row -> row.mlmLabels() != null)
        : inputs.stream().allMatch(row -> row.label() != null);
  }

  /** Returns the number of rows that a student is trained on in an epoch. */
  public long rows(StudentRun run) {
    return StudentParts.rows(reader, run);
  }

  /** Returns the tensor columns that a student reads; its baseline reads none. */
  public Set<Column> columns(StudentRun run) {
    return columns(reader, run.loss(), run.paths().targetStorage());
  }

  private Set<Column> columns(
      CacheReader rows, DistillSpec loss, StudentRun.TargetStorage targetStorage) {
    return ColumnSelection.of(loss, teacher.spec(), targetStorage, rows::has).columns();
  }

  /**
   * Requires a cache that keeps all of its targets.
   *
   * @param reason why a window is not allowed
   * @throws io.stillhouse.error.StillhouseException if its shards are dropped
   */
  public void requireNoWindow(String reason) {
    if (reader.plan().window() != null) {
      throw Errors.invalid(
          format("cache '%s' has a window, and %s", path, reason),
          format(
              "train each student with its own train command, or create a cache with %s=0",
              Options.CACHE_WINDOW.key()));
    }
  }

  /**
   * Requires that the cache holds what a student and its baseline learn from.
   *
   * @return the tensor columns that the student reads
   * @throws io.stillhouse.error.StillhouseException naming the columns or labels that are missing
   */
  Set<Column> requireTargets(
      DistillSpec loss, StudentRun.TargetStorage targetStorage, boolean hasBaseline)
      throws IOException {
    Set<Column> columns = columns(reader, loss, targetStorage);
    reader.with(columns);
    boolean learnsLabels = loss.hardLabel() != 0;
    if (learnsLabels && !labelled) {
      throw Errors.invalid(
          format(
              "loss.hard-label.weight is %s, but cache '%s' has no labels", loss.hardLabel(), path),
          "cache the corpus with corpus.label, or set the weight to 0");
    }
    if (validation != null) {
      if ((learnsLabels || hasBaseline) && !isLabelled(validation)) {
        throw Errors.invalid(
            format(
                "train.validation '%s' has no labels, which are needed to measure %s",
                validationPath, learnsLabels ? "the student" : "the baseline"),
            "cache these rows with corpus.label, or set loss.hard-label.weight=0 and"
                + " train.baseline=false");
      }
      validation.with(columns(validation, loss, targetStorage));
    }
    return columns;
  }

  /** Returns the number of rows of each class, counted on the first call. */
  synchronized long[] classCounts() {
    if (classCounts == null) {
      classCounts = countClasses(reader);
    }
    return classCounts.clone();
  }

  /** Counts a cache's rows by class; rows without a label are ignored. */
  public static long[] countClasses(CacheReader reader) {
    List<Long> counts = new ArrayList<>();
    try {
      for (int shard = 0; shard < reader.shardRows().size(); shard++) {
        for (InputRow row : reader.inputs(shard)) {
          Double label = row.label();
          if (label != null) {
            int id = label.intValue();
            while (counts.size() <= id) {
              counts.add(0L);
            }
            counts.set(id, counts.get(id) + 1);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return counts.stream().mapToLong(Long::longValue).toArray();
  }
}
