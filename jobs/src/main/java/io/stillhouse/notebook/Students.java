package io.stillhouse.notebook;

import static io.stillhouse.error.Text.format;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.stillhouse.error.Errors;
import io.stillhouse.jobs.cache.layout.ManifestLog;
import io.stillhouse.jobs.evaluate.StudentComparison;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.jobs.train.student.TrainedStudent;
import io.stillhouse.jobs.train.sweep.SweepJob;
import io.stillhouse.recipe.Sweep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * The students that {@code train}, {@code sweep} or {@code distill} left in a directory, as
 * DataFrames.
 *
 * <pre>{@code
 * val students = Students.open(spark, "my-student")
 * students.table().createOrReplaceTempView("students")
 * val comparison = students.compare("my-student/validation-cache", 500)
 * }</pre>
 */
public final class Students {
  private final SparkSession spark;
  private final Storage storage;
  private final Map<String, Path> directories;
  private final Map<String, SweepJob.Row> swept;

  private Students(
      SparkSession spark,
      Storage storage,
      Map<String, Path> directories,
      Map<String, SweepJob.Row> swept) {
    this.spark = spark;
    this.storage = storage;
    this.directories = directories;
    this.swept = swept;
  }

  /**
   * Opens the students of a run.
   *
   * @param path a {@code train.path}, or the directory of {@code distill} or {@code quickstart}
   * @throws io.stillhouse.error.StillhouseException if there are no students
   */
  public static Students open(SparkSession spark, String path) {
    try {
      Storage storage = new Storage(spark.sparkContext().hadoopConfiguration());
      Path run = storage.requireExisting("the run", path);
      if (storage.exists(new Path(run, ManifestLog.DIRECTORY))) {
        throw Errors.invalid(
            format("'%s' is a cache, which has no students", run),
            "name a train.path, or the directory of a distill run");
      }
      Path within = new Path(run, "students");
      Path home = storage.exists(within) ? within : run;
      Map<String, SweepJob.Row> swept = swept(storage, new Path(home, "sweep.json"));
      Map<String, Path> directories = new TreeMap<>();
      for (FileStatus each : storage.fileSystem(home).listStatus(home)) {
        String name = each.getPath().getName();
        if (!name.startsWith("_") && storage.exists(new Path(each.getPath(), "config.json"))) {
          directories.put(name, each.getPath());
        }
      }
      if (directories.isEmpty() && swept.isEmpty()) {
        throw Errors.invalid(
            format("'%s' has no students: no directory in it has a config.json", home),
            "name a train.path, or the directory of a distill run");
      }
      return new Students(spark, storage, directories, swept);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, SweepJob.Row> swept(Storage storage, Path file) throws IOException {
    Map<String, SweepJob.Row> rows = new LinkedHashMap<>();
    if (storage.exists(file)) {
      JsonObject record = Storage.JSON.fromJson(storage.readText(file), JsonObject.class);
      for (JsonElement each : record.getAsJsonObject("result").getAsJsonArray("students")) {
        SweepJob.Row row = Storage.JSON.fromJson(each, SweepJob.Row.class);
        rows.put(row.name(), row);
      }
    }
    return rows;
  }

  /**
   * Returns the directory of a student.
   *
   * @throws io.stillhouse.error.StillhouseException if there is no such student, or it was not
   *     trained to its end
   */
  public String directory(String student) {
    Path directory = directories.get(student);
    if (directory == null) {
      throw Errors.badValue("the student", "one of " + directories.keySet(), student);
    }
    return directory.toString();
  }

  /**
   * Returns one row for each student: {@code student}, {@code status}, in a sweep the settings that
   * differ, {@code parameters}, {@code bytes} of its weights, {@code steps}, {@code seconds},
   * {@code tokens_per_second}, the mean of each term of the loss over the last tenth of the steps,
   * such as {@code train_soft_label}, and measurements on the validation rows, such as {@code
   * validation_accuracy}. Students without measurements have null there.
   */
  public Dataset<Row> table() {
    try {
      WideTable table = new WideTable();
      Set<String> names = new LinkedHashSet<>(swept.keySet());
      names.addAll(directories.keySet());
      Set<String> keys = new LinkedHashSet<>();
      swept.values().forEach(row -> keys.addAll(row.values().keySet()));
      Map<String, String> labels = Sweep.labels(keys);
      for (String name : names) {
        SweepJob.Row row = swept.get(name);
        Path directory = directories.get(name);
        table.row().set("student", name);
        table.set("status", row == null ? "trained" : row.status().name().toLowerCase(Locale.ROOT));
        for (String key : keys) {
          String label = labels.getOrDefault(key, key);
          table.set(label, row == null ? null : row.values().get(key));
        }
        TrainedStudent trained =
            row != null && row.training() != null
                ? row.training()
                : directory == null ? null : TrainedStudent.read(storage, directory).orElse(null);
        if (trained != null) {
          table.set("parameters", trained.parameters());
          table.set("bytes", directory == null ? null : bytes(directory));
          table.set("steps", trained.steps());
          table.set("seconds", trained.speed().seconds());
          table.set("tokens_per_second", trained.speed().tokensPerSecond());
          table.setAll("train_", trained.losses().last());
          table.setAll("validation_", trained.losses().validation());
        }
      }
      return table.frame(spark);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private long bytes(Path directory) throws IOException {
    return Arrays.stream(storage.fileSystem(directory).listStatus(directory))
        .filter(file -> file.getPath().getName().endsWith(".safetensors"))
        .mapToLong(FileStatus::getLen)
        .sum();
  }

  /**
   * Returns how each measure of a training developed, as means over at most 100 equal parts of the
   * steps: {@code student}, {@code step}, {@code tokens} seen since the start, {@code measure} such
   * as {@code loss}, {@code soft-label} or {@code learning-rate}, {@code value}.
   */
  public Dataset<Row> curves() {
    try {
      return Curves.read(spark, storage, directories);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns what {@code evaluate} measured: {@code model}, the teacher first, {@code parameters},
   * {@code bytes}, each metric under its name with its standard error as {@code METRIC_error}, the
   * {@code metric} that decides with its value {@code quality} and {@code quality_error}, {@code
   * retention} of the teacher's metric, {@code milliseconds} for one sentence, {@code
   * times_teacher} (its speed divided by the teacher's), and {@code on_front}: whether no other
   * model is as good and smaller, or better and no larger.
   *
   * @param path {@code evaluate.output} of the run, an {@code evaluation.json}
   * @throws io.stillhouse.error.StillhouseException if there is no such file
   */
  public Dataset<Row> evaluation(String path) {
    return EvaluationTable.read(storage, path).frame(spark);
  }

  /**
   * Returns the size and the quality of the evaluated models as a picture (HTML); the best models
   * of their size are joined.
   *
   * @param path {@code evaluate.output} of the run, an {@code evaluation.json}
   * @throws io.stillhouse.error.StillhouseException if there is no such file
   */
  public String sizeAndQuality(String path) {
    return EvaluationTable.read(storage, path).picture();
  }

  /**
   * Runs the teacher of a cache and all students on rows of the cache, on the CPU of the driver.
   *
   * @param cache a complete cache, such as that of the held-out rows
   * @param rows number of rows that are compared at most
   * @throws io.stillhouse.error.StillhouseException if there is no such cache, it is not complete,
   *     or {@code rows} is not positive
   */
  public Comparison compare(String cache, int rows) {
    if (rows < 1) {
      throw Errors.badValue("the number of rows", ">= 1", rows);
    }
    try {
      Path path = storage.requireExisting("the cache", cache);
      return new Comparison(spark, StudentComparison.of(storage, path, directories, rows));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
